"""The 20,410-parameter network of TensorFlow's pruning guide on MNIST: as few bytes as an accuracy budget allows."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._compression_bench import Row, by_hand, compiled, files, goal, lasting_cache, plain
from benchmarks._figures import Figure

RUNS = 1
MAX_DROP = 0.01
ZIP_GOAL, ACCURACY_GOAL = 6_400, 0.951


@dataclass(frozen=True, kw_only=True)
class MnistCnn:
    """Raw figures: edgekit's float reference and artifact, and the rows of the hand-written script."""

    float_model: Row
    ours: Row
    by_hand: dict[str, Row]


def measure(_runs: int) -> MnistCnn:
    """Compile once: all seeds are fixed."""
    given = files("mnist_cnn", "data/mnist.npz")
    with lasting_cache() as folder:
        float_model, ours = compiled(given, folder, "smallest", "--max-drop", MAX_DROP)
        return MnistCnn(float_model=float_model, ours=ours, by_hand=by_hand(given))


def figures(found: MnistCnn) -> tuple[Figure, ...]:
    """The rows."""
    met = found.ours.zip_bytes <= ZIP_GOAL and found.ours.accuracy >= ACCURACY_GOAL
    return (
        plain(
            "20,410-parameter network on MNIST, float",
            found.float_model,
            note="published: 77,386 zip bytes at about 95.3 %; this one was trained for 4 epochs",
        ),
        plain("the same by hand, int8", found.by_hand["int8"]),
        plain("the same by hand, pruned by 0.8, 8 clusters, int8", found.by_hand["small"]),
        goal(
            f"the same by `edgekit compile --recipe smallest --max-drop {MAX_DROP:g}`",
            found.ours,
            f"at most {ZIP_GOAL:,} zip bytes at {ACCURACY_GOAL:.1%} or more",
            met,
        ),
    )
