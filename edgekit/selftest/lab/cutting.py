"""Lives of devices to cut the power in: one that goes well, and some in which an agent was killed before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab import recording
from edgekit.selftest.lab.acts import Belief
from edgekit.selftest.lab.examiner import Examiner
from edgekit.selftest.lab.killing import Point, points
from edgekit.selftest.lab.power_cuts import Search

_WORKERS = 2


@dataclass(kw_only=True)
class Tally:
    """What several searches found together."""

    moments: int = 0
    exhausted: int = 0
    cases: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, found: dict[str, Any]) -> None:
        """One more search."""
        self.moments += found["moments"]
        self.exhausted += found["exhausted"]
        self.cases += found["cases"]
        self.failures += found["failures"]


def whole_story(program: AgentProgram, folder: Path, limit: int) -> Search:
    """A device's life from nothing on, acted by one agent."""
    top, image = folder / "story", folder / "nothing"
    top.mkdir()
    image.mkdir()
    played = recording.record(program, top, recording.acts(), Belief(), folder / "story.trace")
    return Search(
        top=str(top),
        image=image,
        work=folder / "work",
        plays=(played,),
        manifests=recording.manifests(),
        limit=limit,
    )


def after_kills(program: AgentProgram, folder: Path, chosen: Sequence[Point], limit: int) -> Iterator[Search]:
    """An agent is killed at a point, another one does the act again, and then the power fails."""
    top = folder / "killed"
    for number, point in enumerate(chosen):
        scene = point.scene
        scene.copy(top)
        inject = f"{point.call.name}:signal=KILL:when={point.call.nth}"
        traces = [folder / f"killed{number}.{part}.trace" for part in range(2)]
        first = recording.record(program, top, [scene.act], scene.before, traces[0], inject=inject)
        second = recording.record(program, top, [scene.act], scene.before, traces[1])
        yield Search(
            top=str(top),
            image=scene.disk,
            work=folder / "work",
            plays=(first, second),
            manifests=recording.manifests(),
            limit=limit,
            only_last=True,
        )


def lasting_points(program: AgentProgram, scenes: Sequence[recording.Scene], folder: Path) -> list[Point]:
    """Where an agent that dies leaves something that the kernel knows and the disk does not: every change."""
    return [point for scene in scenes for point in points(program, scene, folder) if point.call.is_changing]


def search_all(program: AgentProgram, folder: Path, wanted: Iterator[Search]) -> Tally:
    """Do searches with as many workers as pay off, each of which takes its share of the moments."""
    tally = Tally()
    benches = [Examiner(program.archive, folder / f"examiner{worker}") for worker in range(_WORKERS)]
    try:
        for one in wanted:
            for worker, bench in enumerate(benches):
                work = one.work.with_name(f"work{worker}")
                bench.begin_search(replace(one, share=(worker, _WORKERS), work=work))
            for bench in benches:
                tally.add(bench.end_search())
    finally:
        for bench in benches:
            bench.close()
    return tally
