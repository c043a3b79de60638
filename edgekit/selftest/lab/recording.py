"""A device's life under strace: what the agent did to the disk, act by act, and copies of the disk in between."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab import strace
from edgekit.selftest.lab.acts import Act, Belief, Files, Step, beliefs, story
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, sha256
from edgekit.selftest.lab.power_cuts import Play

_BALLAST = bytes(range(256)) * 80
"""20 KiB: five records of an upload (programs.without_models)."""


_FRAME_BYTES = 4092
"""With its length it fills a page: a pipe takes it whole, so each run makes the same system calls."""


@contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """A folder in memory, where an fsync costs nothing; where there is no such place, one in `otherwise`.

    What dies here is a process, not a machine: what a kernel holds for it is the same on every file system.
    """
    shm = Path("/dev/shm")  # noqa: S108 -- mkdtemp makes a folder that is ours alone
    is_usable = os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 256 * 1024 * 1024
    folder = Path(tempfile.mkdtemp(prefix="edgekit-selftest-", dir=shm if is_usable else otherwise)).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def releases() -> dict[str, Files]:
    """The releases of the story (acts.py)."""
    recipes = ["first", "second", "third", "fourth", "refused", "unhealthy"]
    made = {recipe: _release(number, recipe) for number, recipe in enumerate(recipes, start=1)}
    return {**made, "runtime": _runtime()}


def _release(number: int, recipe: str) -> Files:
    made = fake_release(float(number), counter=number, recipe=recipe)
    manifest, files = json.loads(made.manifest), made.files
    if recipe == "third":
        manifest["files"]["ballast"] = {"sha256": sha256(_BALLAST), "size": len(_BALLAST)}
        files = (*files, _BALLAST)
    return Files(manifest=_canonical(manifest), files=files, counter=number)


def _runtime() -> Files:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for name in ("runtime/__init__.py", "runtime/kernels.py"):
            wheel.writestr(zipfile.ZipInfo(name), f"NAME = {name!r}\n")
    data = buffer.getvalue()
    manifest = {
        "schema": "edgekit.manifest/1",
        "kind": "runtime",
        "compatible": {"machine": [], "formats": []},
        "runtime": "fake",
        "files": {"runtime-1-py3-none-any.whl": {"sha256": sha256(data), "size": len(data)}},
        "counter": 1,
    }
    return Files(manifest=_canonical(manifest), files=(data,), counter=0)


def _canonical(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One act, and the disk from before it.

    Attributes:
        act: what is done.
        before: what the device believes.
        disk: a folder that holds ROOT as "root".
    """

    act: Act
    before: Belief
    disk: Path

    def copy(self, to: Path) -> Path:
        """ROOT of a device that may be broken; the agent's program is shared with the original."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.disk, to, symlinks=True, copy_function=_copy)
        return to / "root"


def _copy(source: str, to: str) -> None:
    if Path(source).parent.name == "agents":
        os.link(source, to, follow_symlinks=False)
    else:
        shutil.copy2(source, to, follow_symlinks=False)


def manifests() -> dict[str, str]:
    """Texts of all releases of the story by digest."""
    return {release.digest: release.manifest for release in releases().values()}


def play(agent: AgentProcess, acts: Sequence[Act]) -> None:
    """Do acts on an agent that runs.

    Raises:
        RefusedError: a step failed that must not.
        AssertionError: the agent is gone.
    """
    for act in acts:
        for step in act.steps:
            take(agent, step)


def take(agent: AgentProcess, step: Step) -> None:
    """Make one request.

    Raises:
        RefusedError: it failed, and must not.
        AssertionError: the agent is gone.
    """
    try:
        agent.request(step.verb, on_ready=partial(_send, agent, step), **step.params)
    except RefusedError:
        if not step.may_fail:
            raise


def _send(agent: AgentProcess, step: Step, offset: int) -> None:
    agent.send_frames(step.sent[offset:], _FRAME_BYTES)


def acts() -> list[Act]:
    """The story."""
    return list(story(releases(), _BALLAST))


def scenes(program: AgentProgram, folder: Path) -> list[Scene]:
    """The whole story, acted once by one agent; each scene has a copy of the disk from before it."""
    played = acts()
    top = folder / "story"
    top.mkdir(parents=True)
    with AgentProcess(top / "root", program=program).boot():
        pass  # pushes itself
    found = []
    with AgentProcess(top / "root", program=program).boot() as agent:
        for number, (act, before) in enumerate(zip(played, beliefs(played), strict=False)):
            disk = folder / f"scene{number}"
            shutil.copytree(top, disk, symlinks=True)
            found.append(Scene(act=act, before=before, disk=disk))
            play(agent, [act])
    return found


def record(
    program: AgentProgram,
    top: Path,
    acts: Sequence[Act],
    before: Belief,
    trace: Path,
    *,
    inject: str = "",
    names: Sequence[str] = strace.LASTING,
) -> Play:
    """Do acts with an agent under strace, which may be killed by it meanwhile.

    Args:
        program: the agent.
        top: the folder that holds ROOT as "root"; ROOT need not be there.
        acts: what to do.
        before: what the device believes.
        trace: where to keep the calls.
        inject: a fault, see strace.command.
        names: the calls to keep.
    """
    command = strace.command(trace, inject=inject, names=names)
    with AgentProcess(top / "root", program=program, wrap=command) as agent:
        try:
            agent.boot()
            play(agent, acts)
        except (AssertionError, BrokenPipeError):
            if "signal" not in inject:
                raise
    return Play(trace=trace, acts=tuple(acts), before=before)
