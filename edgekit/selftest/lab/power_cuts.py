"""Every moment of an agent's life at which the power may fail, and what is wrong with the disk that is left then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from edgekit.selftest.lab import examining, strace
from edgekit.selftest.lab.acts import Act, Belief
from edgekit.selftest.lab.crash_model import ForgetfulDisk, Image, image_of


@dataclass(frozen=True, kw_only=True)
class Play:
    """One agent process that did some acts, and perhaps died over one.

    Attributes:
        trace: its system calls.
        acts: what it was asked for, in order.
        before: what the device believed.
    """

    trace: Path
    acts: tuple[Act, ...]
    before: Belief

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return {
            "trace": str(self.trace),
            "acts": [act.as_json() for act in self.acts],
            "before": self.before.as_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Search:
    """What to look at.

    Attributes:
        top: the folder of the model, in which ROOT lies, while the calls were recorded.
        image: a copy of it from before.
        work: an empty folder in which disks are laid out.
        plays: one after the other, on the same disk.
        manifests: texts of all releases by digest.
        limit: disks a moment, at most.
        only_answers: only the moments right behind the answer to an act.
        only_last: only the moments of the last play; those before it made the disk what it is.
        only_act: only the moments within the act of this name.
        share: (index, of how many): every so manieth moment only.
        again: every so manieth disk has the act done again, 0 none.
        stop: at the first finding.
        seed: of the samples.
    """

    top: str
    image: Path
    work: Path
    plays: tuple[Play, ...]
    manifests: Mapping[str, str] = field(repr=False)
    limit: int
    only_answers: bool = False
    only_last: bool = False
    only_act: str | None = None
    share: tuple[int, int] = (0, 1)
    again: int = 10
    stop: bool = False
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        paths = {"image": str(self.image), "work": str(self.work), "plays": [play.as_json() for play in self.plays]}
        return {**vars(self), **paths, "manifests": dict(self.manifests), "share": list(self.share)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Search:
        """From another process."""
        plays = [
            Play(
                trace=Path(play["trace"]),
                acts=tuple(map(Act.from_json, play["acts"])),
                before=Belief.from_json(play["before"]),
            )
            for play in content["plays"]
        ]
        paths = {"image": Path(content["image"]), "work": Path(content["work"]), "plays": tuple(plays)}
        return cls(**{**content, **paths, "share": tuple(content["share"])})


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When the power fails.

    Attributes:
        after: the last call that was done, or the answer.
        act: in progress; None once all are answered.
        allowed: what the device may believe afterwards.
        is_last: whether it is one of the last play.
    """

    after: str
    act: Act | None
    allowed: tuple[Belief, ...]
    is_last: bool


def search(wanted: Search) -> dict[str, Any]:
    """Look at all moments; counts distinct disks, each with what was allowed of it.

    Returns:
        {moments, exhausted: moments of which every possible disk was seen, cases, failures}.
    """
    disk = ForgetfulDisk(wanted.top, image_of(wanted.image), _has_no_say)
    seen: set[int] = set()
    failures: list[str] = []
    moments = exhausted = 0
    for index, moment in enumerate(_moments(wanted, disk)):
        if index % wanted.share[1] != wanted.share[0] or not _is_wanted(moment, wanted):
            continue
        moments += 1
        exhausted += disk.is_small(wanted.limit)
        for image in disk.images(wanted.limit, Random(f"{wanted.seed} {index}")):  # noqa: S311 -- a sample
            key = hash((frozenset(image.items()), moment.allowed))
            if key in seen:
                continue
            seen.add(key)
            again = wanted.again > 0 and len(seen) % wanted.again == 0
            failures += _problems(wanted, disk, moment, image, again=again)
            if failures and wanted.stop:
                return {"moments": moments, "exhausted": exhausted, "cases": len(seen), "failures": failures}
    return {"moments": moments, "exhausted": exhausted, "cases": len(seen), "failures": failures}


def _is_wanted(moment: Moment, wanted: Search) -> bool:
    if wanted.only_act is not None and (moment.act is None or moment.act.name != wanted.only_act):
        return False
    return moment.is_last or not wanted.only_last


def _moments(wanted: Search, disk: ForgetfulDisk) -> Iterator[Moment]:
    for play in wanted.plays:
        disk.start_process()
        is_last = play is wanted.plays[-1]
        states = [play.before, *(act.after for act in play.acts)]
        ends = [sum(len(act.steps) for act in play.acts[: number + 1]) for number in range(len(play.acts))]
        answers = done = 0
        for call in strace.read(play.trace):
            disk.follow(call)
            answered = _answers(call)
            answers += answered
            is_end = answered and done < len(ends) and answers == ends[done]
            done += bool(is_end)
            if is_end:
                after = f"the answer to: {play.acts[done - 1].name}"
                yield Moment(after=after, act=None, allowed=(states[done],), is_last=is_last)
            elif not wanted.only_answers and call.is_changing and call.touches(wanted.top) and call.result is not None:
                act = play.acts[done] if done < len(play.acts) else None
                allowed = tuple(states[done : done + 2])
                yield Moment(after=call.named(wanted.top), act=act, allowed=allowed, is_last=is_last)


def _answers(call: strace.Call) -> int:
    """How many answers the agent wrote with this call."""
    if call.name != "write" or not call.path.startswith("pipe:") or not call.data.startswith(b'{"'):
        return 0
    messages = map(json.loads, call.data.splitlines())
    return sum("result" in message or "error" in message for message in messages)


def _problems(wanted: Search, disk: ForgetfulDisk, moment: Moment, image: Image, *, again: bool) -> Sequence[str]:
    examining.lay_out(image, wanted.work / "disk")
    case = examining.Case(
        root=wanted.work / "disk" / "root",
        allowed=moment.allowed,
        manifests=wanted.manifests,
        meanwhile=moment.act.meanwhile if moment.act is not None else None,
        act=moment.act if again else None,
        after=moment.allowed[-1],
    )
    found = list(chain(examining.untouched(case), examining.recovered(case)))
    if not found:
        return []
    name = moment.act.name if moment.act is not None else "rest"
    what = differences(image, disk.image_now())
    return [f"{name}: power cut after {moment.after}; {what}: {problem}" for problem in found[:1]]


def differences(left: Image, live: Image) -> str:
    """What the disk lacks of what the kernel knew, for people."""
    words = [f"{path} is not there" for path in live if path not in left]
    words += [f"{path} is still there" for path in left if path not in live]
    for path, (_, data) in left.items():
        if path in live and live[path][1] != data:
            kind = "zeros" if data and not data.strip(b"\0") else "other bytes" if data else "empty"
            words.append(f"{path} has {kind} ({len(data)} of {len(live[path][1])} bytes)")
    return "the disk has everything" if not words else "on the disk " + ", ".join(words[:6])


def _has_no_say(path: str) -> bool:
    """The lock's text names its holder; the agent's own code is hashed at each of its starts."""
    return path == "root/lock" or path.startswith("root/agents/")
