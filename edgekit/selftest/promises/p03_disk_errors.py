"""P3: the disk refuses one of the agent's calls.

Injected: strace lets the n-th call of a name fail with EIO, ENOSPC, EDQUOT, EROFS, EACCES, EPERM or EINTR, at every
call that changes ROOT in six acts of a device's life (lab/acts.py), with EIO and EACCES also at those that look; and
an agent whose every write is cut short.

Must hold: the agent says E_STORAGE with the path, the errno and the free space (E_DEVICE for an interrupted call,
E_CONFIG for a file system that refuses links, E_VERIFY for bytes that cannot be read), or does without the call; the
old release stays active for all who read; the next try of the same agent succeeds and leaves nothing over. What it
answers then outlasts a power cut: bytes whose fsync has failed are given up, not fsynced once more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.selftest.lab import programs, recording, strace
from edgekit.selftest.lab.acts import Belief
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError
from edgekit.selftest.lab.examiner import Examiner
from edgekit.selftest.lab.killing import NO_STRACE, Bench, Point, on_benches, points, spread
from edgekit.selftest.lab.power_cuts import Play, Search
from edgekit.selftest.promise import Lab, Outcome, Promise

_SAMPLE, _FULL = 300, 1000
_ACTS = ("first install", "upgrade", "runtime", "resume", "rollback", "collect")
_WRITING = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EINTR")
_LOOKING = ("EIO", "EACCES")
_IO_ERROR = 74
_DISKS = 40


@dataclass(frozen=True, kw_only=True)
class _Fault:
    point: Point
    error: str

    @property
    def name(self) -> str:
        return f"{self.error} at {self.point.name}"


def run(lab: Lab) -> Outcome:
    """Let calls fail."""
    if not strace.is_there():
        return Outcome(cases=0, not_tried=(NO_STRACE,))
    program = programs.without_models()
    with recording.memory_folder(lab.folder) as folder:
        scenes = [scene for scene in recording.scenes(program, folder / "scenes") if scene.act.name in _ACTS]
        faults = [fault for scene in scenes for point in points(program, scene, folder) for fault in _faults(point)]
        chosen = spread(faults, lab.many(_SAMPLE, len(faults)))
        results = list(on_benches(program, folder, chosen, _fail))
        short = _short_writes(folder / "short")
    struck = [(fault, wrong) for fault, wrong in results if wrong is not None]
    return Outcome(
        cases=len(struck) + len(recording.acts()),
        failures=tuple([f"{fault.name}: {one}" for fault, wrong in struck for one in wrong] + short),
        facts={"faults_in_all": len(faults), "tried": len(chosen), "not_reached": len(results) - len(struck)},
    )


def _faults(point: Point) -> list[_Fault]:
    call = point.call
    if call.path.startswith(str(Path(point.top, "root", "agents"))):
        return []  # the agent's program: nothing that it runs for can be lost there
    return [_Fault(point=point, error=error) for error in (_WRITING if call.is_changing else _LOOKING)]


def _fail(bench: Bench, fault: _Fault) -> list[str] | None:
    """Let one call fail; None when it did not come to that."""
    scene, call = fault.point.scene, fault.point.call
    root = scene.copy(bench.disk)
    trace = bench.folder / "trace"
    inject = f"{call.name}:error={fault.error}:when={call.nth}"
    is_fsync = call.name == "fsync"
    wrap = strace.command(trace, inject=inject, names=strace.LASTING if is_fsync else ())
    answered = 0
    with AgentProcess(root, program=bench.program, wrap=wrap) as agent:
        refusal = _start(agent)
        if refusal is not None:
            return refusal if strace.has_struck(trace) else None
        wrong: list[str] = []
        asked = scene.act
        try:
            for step in scene.act.steps:
                answered += 1
                recording.take(agent, step)
        except RefusedError as refused:
            asked = replace(scene.act, steps=(*scene.act.steps[:answered], *scene.act.steps))
            wrong += _word_problems(refused, fault, root)
            wrong += bench.examiner.look(root, _unchanged(scene), recording.manifests(), recover=False)
            try:
                recording.play(agent, [scene.act])
            except RefusedError as again:
                wrong.append(f"the next try says {again}")
        except AssertionError as gone:
            return [str(gone)]
    if not strace.has_struck(trace):
        return None
    wrong += bench.examiner.look(root, (scene.act.after,), recording.manifests())
    if is_fsync and not wrong:
        wrong += _power_cuts(bench, scene, Play(trace=trace, acts=(asked,), before=scene.before))
    return wrong


def _unchanged(scene: recording.Scene) -> tuple[Belief, ...]:
    """What the device may believe after an error: the same release is active; what else is listed may have changed."""
    before, after = scene.before, scene.act.after
    is_same = (before.active, before.previous) == (after.active, after.previous)
    return (before, after) if is_same else (before,)


def _start(agent: AgentProcess) -> list[str] | None:
    """None once it runs; else what is wrong with its refusal."""
    try:
        agent.boot()
    except (AssertionError, BrokenPipeError):
        status, words = agent.end()
        return [] if status == _IO_ERROR and words.startswith("edgekit: /") else [f"it ends with {status}: {words}"]
    return None


def _word_problems(refused: RefusedError, fault: _Fault, root: Path) -> list[str]:
    details: dict[str, Any] = refused.details
    codes = ["E_STORAGE"]
    codes += ["E_DEVICE"] if fault.error == "EINTR" else []
    codes += [] if fault.point.call.is_changing else ["E_VERIFY"]
    codes += ["E_CONFIG"] if fault.error == "EPERM" and fault.point.call.name.startswith("symlink") else []
    if refused.code not in codes:
        return [f"it says {refused}"]
    if refused.code == "E_VERIFY":
        return []
    is_named = str(details.get("path", "")).startswith(str(root)) and details.get("errno") == fault.error
    has_space = refused.code != "E_STORAGE" or isinstance(details.get("free_bytes"), int)
    return [] if is_named and has_space else [f"it says {refused} with {details}"]


def _power_cuts(bench: Bench, scene: recording.Scene, play: Play) -> list[str]:
    """The power fails behind the answers."""
    found = bench.examiner.search(
        Search(
            top=str(bench.disk),
            image=scene.disk,
            work=bench.folder / "work",
            plays=(play,),
            manifests=recording.manifests(),
            limit=_DISKS,
            only_answers=True,
        )
    )
    wrong: list[str] = found["failures"]
    return wrong


def _short_writes(folder: Path) -> list[str]:
    """A system that takes seven bytes at a time."""
    program = programs.with_short_writes(programs.without_models())
    try:
        recording.scenes(program, folder)
    except (RefusedError, AssertionError) as failure:
        return [f"short writes: {failure}"]
    with Examiner(program.archive, folder / "examiner") as examiner:
        wrong = examiner.look(folder / "story" / "root", (recording.acts()[-1].after,), recording.manifests())
    return [f"short writes: {one}" for one in wrong]


PROMISE = Promise(
    id="P3",
    title="A disk that fails is told, and leaves the old release active",
    sample=_SAMPLE,
    full=_FULL,
    run=run,
)
