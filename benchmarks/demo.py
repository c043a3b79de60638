"""`scripts/demo`, when everything is set up: from a trained model to a measured deployment."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from benchmarks._figures import Figure, at_most
from benchmarks._folders import ROOT, own_folders
from benchmarks._runs import Run, timed

RUNS = 1
GOAL_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Raw figures: the first run sets up what is missing, the later ones count."""

    first: Run
    again: tuple[Run, ...]


def measure(runs: int) -> Demo:
    """Run it once, then so many times again."""
    with own_folders():
        first, *again = (timed([ROOT / "scripts" / "demo"], cwd=ROOT) for _ in range(1 + runs))
    return Demo(first=first, again=tuple(again))


def figures(found: Demo) -> tuple[Figure, ...]:
    """The rows."""
    seconds = median(run.wall_s for run in found.again)
    return (at_most("`scripts/demo`, the second time, wall", seconds, GOAL_S, "s"),)
