"""What is done to a device while faults strike, step by step, and what it must believe afterwards."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Belief:
    """What a device says of its releases.

    Attributes:
        active, previous: digests.
        counter: the rollback floor.
        history: releases that were committed and are still there, newest first.
        bundles: runtimes that are unpacked, newest first.
    """

    active: str | None = None
    previous: str | None = None
    counter: int = 0
    history: tuple[str, ...] = ()
    bundles: tuple[str, ...] = ()

    def short(self) -> str:
        """For people."""
        names = [digest[:8] if digest else "none" for digest in (self.active, self.previous)]
        rest = f"floor {self.counter}, {len(self.history)} releases, {len(self.bundles)} runtimes"
        return f"({names[0]} behind it {names[1]}, {rest})"

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return {**vars(self), "history": list(self.history), "bundles": list(self.bundles)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """From another process."""
        lists = {name: tuple(content[name]) for name in ("history", "bundles")}
        return cls(**{**content, **lists})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request.

    Attributes:
        verb: of the protocol.
        params: its parameters.
        data: the blob of a `stage`.
        cut: so many bytes of it are sent; None sends all.
        may_fail: an error is an answer as good as another.
    """

    verb: str
    params: Mapping[str, Any]
    data: bytes = field(default=b"", repr=False)
    cut: int | None = None
    may_fail: bool = False

    @property
    def sent(self) -> bytes:
        """What the host sends of the blob, from its beginning."""
        return self.data[: self.cut]

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return {**vars(self), "params": dict(self.params), "data": base64.b64encode(self.data).decode()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """From another process."""
        return cls(**{**content, "data": base64.b64decode(content["data"])})


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that somebody does to a device, done only when its last request is answered.

    Attributes:
        name: e.g. "upgrade".
        steps: its requests.
        after: what the device must believe then.
        meanwhile: a release that `current` leads to until it is found wanting.
    """

    name: str
    steps: tuple[Step, ...]
    after: Belief
    meanwhile: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return {
            "name": self.name,
            "steps": [step.as_json() for step in self.steps],
            "after": self.after.as_json(),
            "meanwhile": self.meanwhile,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """From another process."""
        return cls(
            name=content["name"],
            steps=tuple(map(Step.from_json, content["steps"])),
            after=Belief.from_json(content["after"]),
            meanwhile=content["meanwhile"],
        )


@dataclass(frozen=True, kw_only=True)
class Files:
    """A release for an act: its manifest, and the files that it names."""

    manifest: str
    files: tuple[bytes, ...]
    counter: int

    @property
    def digest(self) -> str:
        """Its name on the device."""
        return hashlib.sha256(self.manifest.encode()).hexdigest()


def stage(data: bytes, *, cut: int | None = None) -> Step:
    """An upload; one that is cut off fails."""
    return Step(
        verb="stage",
        params={"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)},
        data=data,
        cut=cut,
        may_fail=cut is not None,
    )


def deploy(release: Files, *, may_fail: bool = False) -> tuple[Step, ...]:
    """All uploads of a release, and its activation."""
    activate = Step(verb="activate", params={"manifest": release.manifest, "expect": None}, may_fail=may_fail)
    return (*map(stage, release.files), activate)


def story(releases: Mapping[str, Files], ballast: bytes) -> Iterator[Act]:
    """A device's life: everything that changes one, each once.

    Args:
        releases: "first", "second", "third" (with the ballast among its files), "fourth"; "refused", whose golden run
            fails, "unhealthy", whose golden run fails after the switch, and "runtime".
        ballast: an upload that takes several records.
    """
    first, second, third, fourth = (releases[name] for name in ("first", "second", "third", "fourth"))
    now = Belief(active=first.digest, counter=first.counter, history=(first.digest,))
    yield Act(name="first install", steps=deploy(first), after=now)
    now = _activated(now, second)
    yield Act(name="upgrade", steps=deploy(second), after=now)
    yield Act(name="same again", steps=deploy(second), after=now)
    now = replace(now, bundles=(releases["runtime"].digest,))
    yield Act(name="runtime", steps=deploy(releases["runtime"]), after=now)
    yield Act(name="upload that is cut off", steps=(stage(ballast, cut=len(ballast) * 3 // 5),), after=now)
    yield Act(name="resume", steps=(stage(ballast),), after=now)
    now = _activated(now, third)
    yield Act(name="upgrade with large files", steps=deploy(third), after=now)
    now = _activated(now, replace(second, counter=0))
    rollback = Step(verb="rollback", params={"to": second.digest})
    yield Act(name="rollback", steps=(rollback,), after=now)
    yield Act(name="refused release", steps=deploy(releases["refused"], may_fail=True), after=now)
    bad = releases["unhealthy"]
    yield Act(name="release that is undone", steps=deploy(bad, may_fail=True), after=now, meanwhile=bad.digest)
    now = replace(now, history=now.history[:2])
    yield Act(name="collect", steps=(Step(verb="collect", params={"keep": 0, "data": True}),), after=now)
    yield Act(name="upgrade after all", steps=deploy(fourth), after=_activated(now, fourth))


def _activated(now: Belief, release: Files) -> Belief:
    history = (release.digest, *(digest for digest in now.history if digest != release.digest))
    counter = max(now.counter, release.counter)
    return replace(now, active=release.digest, previous=now.active, counter=counter, history=history)


def beliefs(acts: Sequence[Act]) -> list[Belief]:
    """What the device may believe before the first act, and after each."""
    return [Belief(), *(act.after for act in acts)]
