"""P30: there is always a way back.

Injected: a disk with nothing free, or no inodes, and a host whose edgekit is newer than the agent that the device has;
a release before that is dozens of deploys old; a host without anything but the device's name. P1 and P2 kill agents and
cut the power during rollbacks.

Must hold: the rollback succeeds; the device believes, and `current` shows, the release that was asked for; the host
sent no file, for it needs none. How long the device took is told, not judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.core.errors import UnsupportedError
from edgekit.device.session import AgentProgram
from edgekit.selftest.lab import programs
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release
from edgekit.selftest.lab.small_disk import SmallDisk
from edgekit.selftest.promise import Lab, Outcome, Promise

_CASES = 20
_ROOMY = 64 * 1024 * 1024
_PAGE = 4096
_DEPLOYS = 100
_KEPT_HISTORY = 64
_OTHER_EDGEKIT = "\n# another edgekit\n"


def run(lab: Lab) -> Outcome:
    """Go back."""
    folder = lab.folder / "disk"
    folder.mkdir()
    program = programs.without_models()
    other = programs.rewritten({"sweep.py": lambda text: text + _OTHER_EDGEKIT}, program)
    failures: list[str] = []
    seconds: list[float] = []
    cases = 0
    try:
        with SmallDisk(folder, _ROOMY) as disk:
            for attempt in _attempts(lab, program, other):
                device = _Device(disk=disk, root_name=f"root{cases}")
                found, took_s = device.go_back(program, attempt)
                failures += [f"{attempt.name}: {wrong}" for wrong in found]
                seconds.append(took_s)
                cases += 1
    except UnsupportedError as refused:
        return Outcome(cases=0, not_tried=(str(refused),))
    found, took = _after_many(lab, program)
    facts = {"rollback_s_max": round(max([*seconds, *took]), 4), "deploys_before": _DEPLOYS}
    return Outcome(cases=cases + len(took), failures=tuple(failures + found), facts=facts)


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """A disk, and who goes back.

    Attributes:
        name: for people.
        free_bytes, free_files: what the disk still has; None is much.
        program: the agent of the host that goes back.
    """

    name: str
    free_bytes: int | None
    free_files: int | None
    program: AgentProgram


def _attempts(lab: Lab, program: AgentProgram, other: AgentProgram) -> Iterator[_Attempt]:
    for whose, one in (("the same edgekit", program), ("another edgekit", other)):
        for pages in range(lab.many(5, 16)):
            name = f"{pages * _PAGE} bytes free, {whose}"
            yield _Attempt(name=name, free_bytes=pages * _PAGE, free_files=None, program=one)
        for files in range(lab.many(3, 8)):
            yield _Attempt(name=f"{files} inodes free, {whose}", free_bytes=None, free_files=files, program=one)


class _Device:
    """A device with two releases on a small disk."""

    def __init__(self, *, disk: SmallDisk, root_name: str) -> None:
        self._disk = disk
        self._root = disk.path / root_name
        self._outside = disk.outside / root_name
        self._old, self._new = fake_release(1.0), fake_release(2.0, counter=2)

    def go_back(self, program: AgentProgram, attempt: _Attempt) -> tuple[list[str], float]:
        """Deploy twice, fill the disk, roll back; what is wrong, and the seconds of the rollback."""
        self._disk.resize(_ROOMY)
        self._disk.allow_all_files()
        with AgentProcess(self._root, wrap=self._disk.wrap, program=program).boot() as agent:
            agent.deploy(self._old)
            agent.deploy(self._new)
        if attempt.free_bytes is not None:
            self._disk.leave(attempt.free_bytes)
        if attempt.free_files is not None:
            self._disk.allow_files(attempt.free_files)
        with AgentProcess(self._root, wrap=self._disk.wrap, program=attempt.program) as agent:
            try:
                agent.boot()
            except AssertionError:
                return [f"the agent does not start: {agent.end()[1].strip()}"], 0.0
            started = time.monotonic()
            wrong = _rollback(agent, self._old, self._new)
            took_s = time.monotonic() - started
        if (self._outside / "current").read_text(encoding="utf-8") != self._old.manifest:
            wrong.append("`current` is not the old release")
        return wrong, took_s


def _rollback(agent: AgentProcess, to: Release, before: Release) -> list[str]:
    try:
        answer = agent.request("rollback", to=to.digest)
    except RefusedError as refused:
        return [f"the rollback says {refused}"]
    wrong = [] if not agent.payloads else ["bytes were sent"]
    if answer != {"active": to.digest, "previous": before.digest}:
        wrong.append(f"the rollback answers {answer}")
    if agent.request("status")["active"] != to.digest:
        wrong.append("the device believes something else")
    return wrong


def _after_many(lab: Lab, program: AgentProgram) -> tuple[list[str], list[float]]:
    """After a hundred deploys, back to the oldest that is remembered, and to others."""
    releases = [fake_release(float(number), counter=number) for number in range(1, _DEPLOYS + 1)]
    wrong: list[str] = []
    took: list[float] = []
    with AgentProcess(lab.folder / "root", program=program).boot() as agent:
        for release in releases:
            agent.deploy(release)
        active = releases[-1]
        for index in (-2, -_KEPT_HISTORY, -_KEPT_HISTORY // 2, -3):
            started = time.monotonic()
            wrong += [f"after {_DEPLOYS} deploys: {one}" for one in _rollback(agent, releases[index], active)]
            took.append(time.monotonic() - started)
            active = releases[index]
    return wrong, took


PROMISE = Promise(
    id="P30",
    title="A device can always go back, also with a full disk",
    sample=_CASES,
    full=_CASES,
    run=run,
)
