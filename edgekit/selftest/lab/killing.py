"""An agent that dies, or is told an error, at one system call of an act; and what its device is like afterwards."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab import strace
from edgekit.selftest.lab.agent_process import AgentProcess
from edgekit.selftest.lab.examiner import Examiner
from edgekit.selftest.lab.recording import Scene, manifests, play, record

T = TypeVar("T")
R = TypeVar("R")

NO_STRACE = "strace is not installed here: apt-get install strace"
_WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Point:
    """One system call of one act.

    Attributes:
        scene: the act, and the disk from before it.
        call: as it was recorded.
        top: where ROOT lay then.
    """

    scene: Scene
    call: strace.Call
    top: str

    @property
    def name(self) -> str:
        """For people who want to see it again: strace's names."""
        return f"{self.scene.act.name}: {self.call.named(self.top)}"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where one worker breaks devices.

    Attributes:
        program: the agent.
        folder: its own.
        examiner: has the agent's modules.
    """

    program: AgentProgram
    folder: Path
    examiner: Examiner

    @property
    def disk(self) -> Path:
        """The folder in which devices lie: their ROOT is "root" there."""
        return self.folder / "disk"


def points(program: AgentProgram, scene: Scene, folder: Path) -> list[Point]:
    """Every system call of an act that touches ROOT, the start of the agent included."""
    top = folder / "points"
    root = scene.copy(top)
    trace = folder / "points.trace"
    record(program, top, [scene.act], scene.before, trace, names=strace.EVERYTHING)
    calls = [call for call in strace.read(trace) if call.touches(str(root))]
    return [Point(scene=scene, call=call, top=str(top)) for call in calls]


def kill(bench: Bench, point: Point, number: signal.Signals) -> list[str] | None:
    """Signal the agent at one point, and look at the device.

    Returns:
        What is wrong, or None if the agent ended before it came to the point.
    """
    scene, call = point.scene, point.call
    root = scene.copy(bench.disk)
    inject = f"{call.name}:signal={number.name.removeprefix('SIG')}:when={call.nth}"
    is_answered = False
    with AgentProcess(root, program=bench.program, wrap=strace.command(None, inject=inject)) as agent:
        try:
            agent.boot()
            play(agent, [scene.act])
            is_answered = True
        except (AssertionError, BrokenPipeError):
            pass
        status, _ = agent.end()
    if status == 0:
        return None
    allowed = (scene.act.after,) if is_answered else (scene.before, scene.act.after)
    return bench.examiner.look(root, allowed, manifests(), act=scene.act, after=scene.act.after)


def on_benches(
    program: AgentProgram, folder: Path, items: Sequence[T], work: Callable[[Bench, T], R]
) -> Iterator[tuple[T, R]]:
    """Work on items with as many workers as pay off; results in no order of meaning."""

    def share(worker: int) -> list[tuple[T, R]]:
        place = folder / f"bench{worker}"
        with Examiner(program.archive, place / "examiner") as examiner:
            bench = Bench(program=program, folder=place, examiner=examiner)
            return [(item, work(bench, item)) for item in items[worker::_WORKERS]]

    with ThreadPoolExecutor(_WORKERS) as pool:
        for done in pool.map(share, range(_WORKERS)):
            yield from done


def spread(items: Iterable[T], count: int) -> list[T]:
    """So many of the items, evenly spread; all if there are not so many."""
    everything = list(items)
    if len(everything) <= count:
        return everything
    return [everything[index * len(everything) // count] for index in range(count)]
