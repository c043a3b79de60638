"""Whether a device is whole, seen with the agent's own eyes: runs in a process whose `device_agents` is that agent's.

`examiner.py` starts it; thousands of disks are looked at without one start of Python each. The agent's modules are
imported by name, when they are wanted: the rest of edgekit knows the agent only by its protocol.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.selftest.lab.acts import Act, Belief
from edgekit.selftest.lab.crash_model import Image


def _agent(name: str) -> Any:
    return importlib.import_module("device_agents.linux." + name)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What may be true of a device.

    Attributes:
        root: its ROOT.
        allowed: what it may believe.
        manifests: texts of all releases by digest.
        meanwhile: where `current` may lead besides, until somebody recovers.
        act: what was cut off, to be done again; None leaves that out.
        after: what it must believe when that is done.
    """

    root: Path
    allowed: Sequence[Belief]
    manifests: Mapping[str, str]
    meanwhile: str | None = None
    act: Act | None = None
    after: Belief | None = None


def untouched(case: Case) -> Iterator[str]:
    """What is wrong for those who only read: programs that follow `current`, and `edgekit status`."""
    yield from _link_problems(case)
    if case.root.is_dir():
        with _told() as told:
            state, _ = _agent("links").survey(_agent("root").Root(str(case.root)))
            yield from _belief_problems(case, state, "before any recovery")
        yield from told


def recovered(case: Case) -> Iterator[str]:
    """What is wrong once an agent has taken the lock and recovered; then the act is done again, if there is one."""
    (case.root / "agents").mkdir(parents=True, exist_ok=True)
    root = _agent("root").Root(str(case.root))
    with _told() as told:
        root.prepare()
        state = _agent("links").recover(root, lambda _: None)
        yield from _belief_problems(case, state, "after the recovery")
        yield from _rest_problems(case, root, state)
        if case.act is not None and case.after is not None:
            yield from _repeated(case, root)
    yield from told


def _repeated(case: Case, root: Any) -> Iterator[str]:
    assert case.act is not None
    assert case.after is not None
    for verb, answer in zip(case.act.steps, perform(case.act, case.root), strict=True):
        if "error" in answer and not verb.may_fail:
            yield f"{verb.verb} again: {answer['error']['code']}: {answer['error']['message']}"
    warnings: list[str] = []
    state = _agent("links").recover(root, warnings.append)
    once_more = Case(root=case.root, allowed=(case.after,), manifests=case.manifests)
    yield from _belief_problems(once_more, state, "after another try")
    yield from _rest_problems(once_more, root, state)
    yield from (f"after another try it still warns: {warning}" for warning in warnings)
    for step in case.act.steps:
        digest = hashlib.sha256(step.data).hexdigest() if step.verb == "stage" else ""
        if digest and not step.may_fail:
            yield from (f"{path.name} is left over" for path in (case.root / "incoming").glob(digest + ".*"))


def perform(act: Act, root: Path) -> list[dict[str, Any]]:
    """The answers of an agent that does an act within this process."""
    program = root / "agents" / "in-process.pyz"
    program.touch()
    try:
        channel = _Channel()
        agent = _agent("agent").Agent(str(program), channel, None)
        answers = []
        for step in act.steps:
            channel.payload = step.sent
            answers.append(agent._answer(step.verb, dict(step.params)))  # noqa: SLF001 -- its loop reads a pipe
        return answers
    finally:
        program.unlink()


class _Channel:
    """Stands for the host: sends what is missing of a payload, hears nothing."""

    source = -1
    payload = b""
    _offset = 0

    def send(self, message: dict[str, Any]) -> None:
        if message.get("event") == "ready":
            self._offset = message["offset"]

    def read_payload(self) -> Iterator[bytes]:
        return iter([self.payload[self._offset :]])


@contextmanager
def _told() -> Iterator[list[str]]:
    """Refusals of the agent's code are findings."""
    told: list[str] = []
    try:
        yield told
    except (_agent("errors").AgentError, OSError) as error:
        told.append(f"{type(error).__name__}: {error}")


def _link_problems(case: Case) -> Iterator[str]:
    link = case.root / "current"
    if not link.is_symlink():
        if all(belief.active is not None for belief in case.allowed):
            yield "`current` is gone"
        return
    digest = link.readlink().stem
    if digest not in [case.meanwhile, *(belief.active for belief in case.allowed)]:
        yield f"`current` leads to {digest[:12]}"
    elif not link.is_file() or link.read_text(encoding="utf-8", errors="replace") != case.manifests[digest]:
        yield f"`current` leads to {digest[:12]}, which is not whole"


def _belief_problems(case: Case, state: Any, when: str) -> Iterator[str]:
    found = Belief(
        active=state.active,
        previous=state.previous,
        counter=state.rollback_floor,
        history=tuple(state.history),
        bundles=tuple(state.bundles),
    )
    if found not in case.allowed:
        yield f"{when} it believes {found.short()}, not {' or '.join(one.short() for one in case.allowed)}"


def _rest_problems(case: Case, root: Any, state: Any) -> Iterator[str]:
    """Behind a recovery the links agree, what is listed is whole, nothing is left over, and nobody holds the lock."""
    links = [_target(case.root / name) for name in ("current", "previous")]
    if links != [state.active, state.previous]:
        yield f"`current` and `previous` lead to {links}"
    stored = _agent("releases").stored(root)
    for digest in state.history:
        if digest in stored:
            yield from _damage(root, digest)
        elif digest in (state.active, state.previous):
            yield f"the manifest of {digest[:12]} is gone"
    for digest in state.bundles:
        yield from _bundle_damage(root, digest)
    yield from _remains(case.root)
    lock = case.root / "lock"
    if lock.exists():
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield "the lock is held"


def _remains(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith(".tmp-") or (name.endswith(".tmp") and not _lives(name.split(".")[-2])):
                yield f"{name} in {folder} is left over"


def _damage(root: Any, digest: str) -> Iterator[str]:
    with _told() as told:
        release = _agent("releases").load(root, digest)
        with _agent("blobs").verified(root, [(file.sha256, file.size) for file in release.files.values()]):
            pass
    yield from (f"the release {digest[:12]} is listed, but {one}" for one in told)


def _bundle_damage(root: Any, digest: str) -> Iterator[str]:
    with _told() as told:
        for wheel in _agent("releases").load(root, digest).files.values():
            with zipfile.ZipFile(root.blob(wheel.sha256)) as archive:
                for name in archive.namelist():
                    if Path(root.runtime(digest), name).read_bytes() != archive.read(name):
                        told.append(f"{name} is not what its wheel holds")
    yield from (f"the runtime {digest[:12]} is listed, but {one}" for one in told)


def _target(link: Path) -> str | None:
    return link.readlink().stem if link.is_symlink() else None


def _lives(pid: str) -> bool:
    return pid.isdigit() and Path("/proc", pid).exists()


def lay_out(image: Image, folder: Path) -> None:
    """Make a folder hold exactly this."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    top = f"{folder}/"
    for place, (kind, data) in image.items():
        if kind == "f":
            descriptor = os.open(top + place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, data)
            os.close(descriptor)
        elif kind == "d":
            (folder / place).mkdir()
        else:
            (folder / place).symlink_to(os.fsdecode(data))
