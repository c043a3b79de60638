"""P15: the host is killed while it deploys.

Injected: a host that deploys through its real session and transport gets SIGKILL before each of its writes, in the
middle of each, and before each of its reads, in seven acts of a device's life (lab/acts.py); and a host that saves a
file of its own gets it at each system call.

Must hold: the agent ends by itself; the device has the old release or the new one, whole, and the new one if the host
had the answer; another host can do the act again at once, knowing nothing of the first. A file that the host keeps is
the old one or the new one.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgekit.selftest.lab import programs, recording, strace
from edgekit.selftest.lab.examiner import Examiner
from edgekit.selftest.lab.killing import NO_STRACE, spread
from edgekit.selftest.lab.mortal_host import Death, MortalHosts
from edgekit.selftest.lab.recording import Scene
from edgekit.selftest.promise import Lab, Outcome, Promise

_SAMPLE, _FULL = 40, 125
_ACTS = ("first install", "upgrade", "runtime", "resume", "upgrade with large files", "rollback", "collect")
_SAVE = (
    "import sys; sys.path[:] = sys.argv[2:]; from pathlib import Path; "
    "from edgekit.core.files import write_atomically; write_atomically(Path(sys.argv[1]), b'new' * 4096)"
)
_OLD, _NEW = b"old" * 4096, b"new" * 4096


def run(lab: Lab) -> Outcome:
    """Kill hosts."""
    program = programs.without_models()
    with (
        recording.memory_folder(lab.folder) as folder,
        MortalHosts(program, folder / "hosts") as hosts,
        Examiner(program.archive, folder / "examiner") as examiner,
    ):
        scenes = [scene for scene in recording.scenes(program, folder / "scenes") if scene.act.name in _ACTS]
        cases = [_Case(scene=scene, death=death) for scene in scenes for death in _deaths(hosts, scene, folder)]
        chosen = spread(cases, lab.many(_SAMPLE, len(cases)))
        results = [(case, _kill(case, hosts, examiner, folder / "disk")) for case in chosen]
        saved, save_failures = _kill_savers(folder) if strace.is_there() else (0, [])
    struck = [(case, wrong) for case, wrong in results if wrong is not None]
    failures = [f"{case.scene.act.name}: {case.death.name}: {one}" for case, wrong in struck for one in wrong]
    return Outcome(
        cases=len(struck) + saved,
        failures=tuple(failures + save_failures),
        facts={"moments": len(cases), "killed_while_saving": saved, "ended_before": len(results) - len(struck)},
        not_tried=() if strace.is_there() else (f"a host that is killed while it saves a file: {NO_STRACE}",),
    )


@dataclass(frozen=True, kw_only=True)
class _Case:
    scene: Scene
    death: Death


def _deaths(hosts: MortalHosts, scene: Scene, folder: Path) -> list[Death]:
    """Every moment at which the host of an act writes or reads."""
    whole = hosts.live(scene.copy(folder / "whole"), scene.act, Death(call="write", nth=0))
    writes = [
        Death(call="write", nth=number + 1, half=half) for number in range(whole.writes) for half in (False, True)
    ]
    return writes + [Death(call="read", nth=number + 1) for number in range(whole.reads)]


def _kill(case: _Case, hosts: MortalHosts, examiner: Examiner, disk: Path) -> list[str] | None:
    """One host that dies; None when it had finished before."""
    scene = case.scene
    root = scene.copy(disk)
    life = hosts.live(root, scene.act, case.death)
    if not life.is_dead:
        return None
    allowed = (scene.act.after,) if life.is_answered else (scene.before, scene.act.after)
    return examiner.look(root, allowed, recording.manifests(), act=scene.act, after=scene.act.after)


def _kill_savers(folder: Path) -> tuple[int, list[str]]:
    """A host is killed at each call by which it saves a file."""
    place = folder / "saved"
    place.mkdir()
    path, trace = place / "devices.toml", folder / "saved.trace"
    _save(path, trace, "")
    calls = [call for call in strace.read(trace) if call.touches(str(place))]
    wrong = []
    for call in calls:
        path.write_bytes(_OLD)
        _save(path, trace, f"{call.name}:signal={signal.SIGKILL.name.removeprefix('SIG')}:when={call.nth}")
        if path.read_bytes() not in (_OLD, _NEW):
            wrong.append(f"a file that the host saves: SIGKILL at {call.named(str(place))}: it is half a file")
    return len(calls), wrong


def _save(path: Path, trace: Path, inject: str) -> None:
    command = [
        *strace.command(trace, inject=inject, names=strace.EVERYTHING),
        sys.executable,
        "-c",
        _SAVE,
        str(path),
        *sys.path,
    ]
    subprocess.run(command, check=not inject, timeout=60)


PROMISE = Promise(
    id="P15",
    title="A host may die at any moment of a deploy",
    sample=_SAMPLE,
    full=_FULL,
    run=run,
)
