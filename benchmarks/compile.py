"""`edgekit compile` against a script that drives TensorFlow's converter by hand, and from the cache."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks._figures import Figure, at_most, ratio, with_unit
from benchmarks._folders import EDGEKIT, fresh_cache, own_folders, quickstart
from benchmarks._runs import Run, in_turn, timed

RUNS = 5
RATIO_GOAL = 1.1
CACHED_GOAL_S = 0.5
BY_HAND = Path(__file__).with_name("_convert_by_hand.py")


@dataclass(frozen=True, kw_only=True)
class Compile:
    """Raw figures: nothing in the cache, the script by hand in turn with it, and everything in the cache."""

    cold: tuple[Run, ...]
    by_hand: tuple[Run, ...]
    cached: tuple[Run, ...]


def measure(runs: int) -> Compile:
    """Run each so many times."""
    model, samples = quickstart() / "quickstart.keras", quickstart() / "train.npz"
    with own_folders() as folder:
        arguments = [model, "--target", "rpi4", "--calibration-data", samples, "-o", folder / "out.edgekit"]

        def compiled() -> Run:
            return timed([*EDGEKIT, "compile", *arguments])

        def from_nothing() -> Run:
            fresh_cache(folder)
            return compiled()

        def by_hand() -> Run:
            return timed([sys.executable, BY_HAND, model, samples, folder / "by-hand.tflite"])

        cold, hand = in_turn(runs, from_nothing, by_hand)
        (cached,) = in_turn(max(runs, 7), compiled)
    return Compile(cold=cold, by_hand=hand, cached=cached)


def figures(found: Compile) -> tuple[Figure, ...]:
    """The rows."""
    cold_s, hand_s = median(run.wall_s for run in found.cold), median(run.wall_s for run in found.by_hand)
    return (
        at_most(
            "`edgekit compile`, nothing cached, wall, to a converter script",
            ratio([run.wall_s for run in found.cold], [run.wall_s for run in found.by_hand]),
            RATIO_GOAL,
            "x",
            note=f"medians {cold_s:.2f} s and {hand_s:.2f} s; edgekit's part includes the float reference, "
            "the golden run in a child process, and the bundle",
        ),
        Figure(
            what="`edgekit compile`, nothing cached, CPU, to a converter script",
            value=with_unit(ratio([run.cpu_s for run in found.cold], [run.cpu_s for run in found.by_hand]), "x"),
        ),
        at_most(
            "`edgekit compile`, all cached, wall, least", min(run.wall_s for run in found.cached), CACHED_GOAL_S, "s"
        ),
        Figure(
            what="`edgekit compile`, all cached, wall, median",
            value=with_unit(median(run.wall_s for run in found.cached), "s"),
        ),
        Figure(
            what="`edgekit compile`, all cached, CPU, median",
            value=with_unit(median(run.cpu_s for run in found.cached), "s"),
        ),
    )
