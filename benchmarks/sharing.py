"""Weight sharing with 16 values a tensor, stored as codebooks and packed positions: bytes and accuracy."""

from __future__ import annotations

from benchmarks._figures import Figure
from benchmarks._torch_bench import Compressed, compressed, spoken

RUNS = 1
_MOST_BYTES = 0.16
_MOST_POINTS = 0.5
_NETS = {"_torch_nets:lenet5": "LeNet-5", "_lottery_net:lenet_300_100": "LeNet-300-100"}


def measure(_runs: int) -> dict[str, Compressed]:
    """Compress each network by the recipe `share_ptl`.

    Raises:
        CannotRun: there is no MNIST.
    """
    return {name: compressed(name, "share_ptl", needs="data/mnist.npz") for name in _NETS}


def figures(found: dict[str, Compressed]) -> tuple[Figure, ...]:
    """Two rows for each network: the file, and the accuracy."""
    rows = []
    for name, one in found.items():
        share = one.file_bytes / one.float_bytes
        rows += [
            Figure(
                what=f"{_NETS[name]} on MNIST, 16 shared values a tensor, .ptl to 4 bytes a parameter",
                value=f"{share:.3f} ({one.file_bytes:,} of {one.float_bytes:,} bytes)",
                goal=f"at most {_MOST_BYTES}",
                met=share <= _MOST_BYTES,
            ),
            Figure(
                what=f"{_NETS[name]} on MNIST, 16 shared values a tensor, accuracy",
                value=spoken(one),
                goal=f"at most {_MOST_POINTS} points below float",
                met=one.drop_points <= _MOST_POINTS,
            ),
        ]
    return tuple(rows)
