"""P13: the disk is full, of every size that matters.

Injected: ROOT lies on a tmpfs; before a deploy it is made so small that k x 64 KiB are free, for every k up to 1 MiB
more than the release takes; it shrinks between the upload and the activation, or while bytes arrive; it runs out of
inodes; it turns read-only.

Must hold: the deploy succeeds, or says E_STORAGE with the errno and the free bytes; then the old release is active and
still answers an inference, and the space is given back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release, sha256
from edgekit.selftest.lab.killing import spread
from edgekit.selftest.lab.small_disk import SmallDisk
from edgekit.selftest.promise import Lab, Outcome, Promise

_SAMPLE, _FULL = 100, 150
_KIB = 1024
_STEP = 64 * _KIB
_ARTIFACT = 4 * _KIB * _KIB + 3 * _STEP // 2
_ROOMY = 64 * _KIB * _KIB
_INPUT = {"shape": [2, 4], "dtype": "float32"}


def run(lab: Lab) -> Outcome:
    """Fill disks."""
    folder = lab.folder / "disk"
    folder.mkdir()
    try:
        with SmallDisk(folder, _ROOMY) as disk, AgentProcess(disk.path / "root", wrap=disk.wrap) as agent:
            device = _Device(disk=disk, agent=agent.boot())
            device.prepare()
            faults = list(_faults(lab))
            failures = [f"{fault.name}: {wrong}" for fault in faults for wrong in device.suffer(fault)]
    except UnsupportedError as refused:
        return Outcome(cases=0, not_tried=(str(refused),))
    facts = {"deployed": device.deployed, "refused": device.refused, "artifact_bytes": _ARTIFACT}
    return Outcome(cases=len(faults), failures=tuple(failures), facts=facts)


@dataclass(frozen=True, kw_only=True)
class _Fault:
    """What becomes of the disk.

    Attributes:
        name: for people.
        first: done before the upload.
        meanwhile: done when the agent has said that it is ready for the large file.
        then: done between the uploads and the activation.
    """

    name: str
    first: Callable[[SmallDisk], None] | None = None
    meanwhile: Callable[[SmallDisk], None] | None = None
    then: Callable[[SmallDisk], None] | None = None


def _faults(lab: Lab) -> Iterator[_Fault]:
    sizes = range(0, _ARTIFACT + 1024 * _KIB + 1, _STEP)
    for free in sizes:
        yield _Fault(name=f"{free // _KIB} KiB free", first=partial(_leave, free_bytes=free))
    for free in range(0, 64 * _KIB, lab.many(8, 4) * _KIB):
        yield _Fault(name=f"{free // _KIB} KiB free at the activation", then=partial(_leave, free_bytes=free))
    for free in spread(sizes, lab.many(5, 40)):
        yield _Fault(name=f"{free // _KIB} KiB free during the upload", meanwhile=partial(_leave, free_bytes=free))
    for count in range(0, 12, lab.many(2, 1)):
        yield _Fault(name=f"{count} inodes free", first=partial(_allow, free=count))
        yield _Fault(name=f"{count} inodes free at the activation", then=partial(_allow, free=count))
    yield _Fault(name="read-only", first=_freeze)
    yield _Fault(name="read-only at the activation", then=_freeze)


def _leave(disk: SmallDisk, free_bytes: int) -> None:
    disk.leave(free_bytes)


def _allow(disk: SmallDisk, free: int) -> None:
    disk.allow_files(free)


def _freeze(disk: SmallDisk) -> None:
    disk.set_read_only(True)


class _Device:
    """One agent on one small disk, brought back to the old release after each fault."""

    def __init__(self, *, disk: SmallDisk, agent: AgentProcess) -> None:
        self._disk = disk
        self._agent = agent
        self._root = disk.outside / "root"
        self._old = fake_release(1.0)
        self._large = bytes(range(256)) * (_ARTIFACT // 256)
        self._new = _with_file(fake_release(2.0, counter=2), self._large)
        self.deployed = self.refused = 0

    def prepare(self) -> None:
        """The old release is active; a copy of the device is kept elsewhere."""
        self._agent.deploy(self._old)
        self._template = self._disk.outside / "template"
        shutil.copytree(self._root, self._template, symlinks=True)

    def suffer(self, fault: _Fault) -> list[str]:
        """Deploy under a fault; what is wrong afterwards."""
        before = self._disk.used_bytes
        self._staged = 0
        wrong: list[str] = []
        try:
            self._deploy(fault)
        except RefusedError as refused:
            self.refused += 1
            wrong += _word_problems(refused)
            wrong += self._old_problems()
            if not self._staged and self._disk.used_bytes > before:
                wrong.append(f"{self._disk.used_bytes - before} bytes are not given back")
            expected = self._old
        else:
            self.deployed += 1
            expected = self._new
        if self._agent.request("status")["active"] != expected.digest:
            wrong.append("the device believes something else than it answered")
        self._heal()
        return wrong

    def _deploy(self, fault: _Fault) -> None:
        if fault.first is not None:
            fault.first(self._disk)
        for data in self._new.files:
            self._stage(data, fault)
            self._staged += 1
        if fault.then is not None:
            fault.then(self._disk)
        self._agent.request("activate", manifest=self._new.manifest, expect=None)

    def _stage(self, data: bytes, fault: _Fault) -> None:
        def send(offset: int) -> None:
            if fault.meanwhile is not None and data is self._large:
                fault.meanwhile(self._disk)
            self._agent.send_frames(data[offset:])

        self._agent.request("stage", sha256=sha256(data), size=len(data), on_ready=send)

    def _old_problems(self) -> Iterator[str]:
        link = self._root / "current"
        if link.read_text(encoding="utf-8") != self._old.manifest:
            yield "`current` is not the old release"
        job: dict[str, Any] = {
            "artifact": {"release": "active"},
            "inputs": [{"blob": sha256(self._old.files[1]), **_INPUT}],
        }
        try:
            self._agent.request("infer", **job, options={})
        except RefusedError as refused:
            yield f"the old release answers no more: {refused}"
        else:
            if self._agent.payloads[0][1] != self._old.files[2]:
                yield "the old release answers something else"

    def _heal(self) -> None:
        """The disk is large again, and the device what it was."""
        self._disk.set_read_only(False)
        self._disk.resize(_ROOMY)
        self._disk.allow_all_files()
        for path in self._root.iterdir():
            if path.name != "agents":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        _copy_all(self._template, self._root)


def _copy_all(source: Path, to: Path) -> None:
    for path in source.iterdir():
        if path.name == "agents":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, to / path.name, symlinks=True)
        else:
            shutil.copy2(path, to / path.name, follow_symlinks=False)


def _with_file(release: Release, data: bytes) -> Release:
    entry = f'"ballast":{{"sha256":"{sha256(data)}","size":{len(data)}}},'
    return Release(manifest=release.manifest.replace('"files":{', '"files":{' + entry), files=(data, *release.files))


def _word_problems(refused: RefusedError) -> list[str]:
    details = refused.details
    is_clear = refused.code == "E_STORAGE" and details.get("errno") in ("ENOSPC", "EROFS")
    return [] if is_clear and isinstance(details.get("free_bytes"), int) else [f"it says {refused} with {details}"]


PROMISE = Promise(
    id="P13",
    title="A full disk refuses a release and does no harm",
    sample=_SAMPLE,
    full=_FULL,
    run=run,
)
