"""What `lenet5` and `mnist_cnn` share: one `edgekit compile --recipe smallest`, beside the same steps by hand."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._compression_bench import Row, by_hand, compiled, files, goal, lasting_cache, plain
from benchmarks._figures import Figure


@dataclass(frozen=True, kw_only=True)
class Found:
    """Raw figures: edgekit's float reference and artifact, and the rows of the hand-written script."""

    float_model: Row
    ours: Row
    by_hand: dict[str, Row]


@dataclass(frozen=True, kw_only=True)
class Smallest:
    """A network on MNIST and what is asked of it.

    Attributes:
        name: of the benchmark.
        network, again: the network in words, in the first row and in the others.
        max_drop: the accuracy budget.
        zip_goal, accuracy_goal: zip bytes at most, top-1 at least.
        published: what is known of the float model, and how this one came about.
        sparsity: of the hand-written script's pruning.
    """

    name: str
    network: str
    again: str
    max_drop: float
    zip_goal: int
    accuracy_goal: float
    published: str
    sparsity: float

    def measure(self, _runs: int) -> Found:
        """Compile once: all seeds are fixed."""
        given = files(self.name, "data/mnist.npz")
        with lasting_cache() as folder:
            float_model, ours = compiled(given, folder, "smallest", "--max-drop", self.max_drop)
            rows = by_hand(given, str(self.sparsity), script="smallest")
            return Found(float_model=float_model, ours=ours, by_hand=rows)

    def figures(self, found: Found) -> tuple[Figure, ...]:
        """The rows."""
        met = found.ours.zip_bytes <= self.zip_goal and found.ours.accuracy >= self.accuracy_goal
        return (
            plain(f"{self.network} on MNIST, float", found.float_model, note=self.published),
            plain(f"{self.again} by hand, int8", found.by_hand["int8"]),
            plain(f"{self.again} by hand, pruned by {self.sparsity:g}, 8 clusters, int8", found.by_hand["small"]),
            goal(
                f"{self.again} by `edgekit compile --recipe smallest --max-drop {self.max_drop:g}`",
                found.ours,
                f"at most {self.zip_goal:,} zip bytes at {self.accuracy_goal:.1%} or more",
                met,
            ),
        )
