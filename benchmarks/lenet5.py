"""LeNet-5 on MNIST: as few bytes as an accuracy budget of 0.2 points allows."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._compression_bench import Row, by_hand, compiled, files, goal, lasting_cache, plain
from benchmarks._figures import Figure

RUNS = 1
MAX_DROP = 0.002
ZIP_GOAL, ACCURACY_GOAL = 11_500, 0.98


@dataclass(frozen=True, kw_only=True)
class LeNet5:
    """Raw figures: edgekit's float reference and artifact, and the rows of the hand-written script."""

    float_model: Row
    ours: Row
    by_hand: dict[str, Row]


def measure(_runs: int) -> LeNet5:
    """Compile once: all seeds are fixed."""
    given = files("lenet5", "data/mnist.npz")
    with lasting_cache() as folder:
        float_model, ours = compiled(given, folder, "smallest", "--max-drop", MAX_DROP)
        return LeNet5(float_model=float_model, ours=ours, by_hand=by_hand(given))


def figures(found: LeNet5) -> tuple[Figure, ...]:
    """The rows."""
    met = found.ours.zip_bytes <= ZIP_GOAL and found.ours.accuracy >= ACCURACY_GOAL
    return (
        plain(
            "LeNet-5 on MNIST, float",
            found.float_model,
            note="published: 229,849 zip bytes at 98.2 %; this one was trained for 5 epochs",
        ),
        plain("LeNet-5 by hand, int8", found.by_hand["int8"]),
        plain("LeNet-5 by hand, pruned by 0.9, 8 clusters, int8", found.by_hand["small"]),
        goal(
            f"LeNet-5 by `edgekit compile --recipe smallest --max-drop {MAX_DROP:g}`",
            found.ours,
            f"at most {ZIP_GOAL:,} zip bytes at {ACCURACY_GOAL:.1%} or more",
            met,
        ),
    )
