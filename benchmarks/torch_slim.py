"""Structured pruning of PyTorch models to half of the multiply-accumulates: what it costs in accuracy."""

from __future__ import annotations

from benchmarks._figures import Figure
from benchmarks._torch_bench import Compressed, compressed, spoken

RUNS = 1
_SHARE = 0.5
_MOST_POINTS = 1.0
_NETS = {
    "_torch_nets:lenet5": ("LeNet-5 on MNIST", "data/mnist.npz", "torch_slim.toml"),
    "_torch_nets:mobilenet": ("MobileNetV2-like network on MNIST", "data/mnist.npz", "torch_slim.toml"),
    "_torch_nets:keywords": ("DS-CNN on spoken digits", "data/fsdd_train.npz", "torch_slim_long.toml"),
}
"""Name, data and recipe: six epochs are 5,600 steps on the digits, and 186 on the recordings, which get 25 epochs."""


def measure(_runs: int) -> dict[str, Compressed]:
    """Compress each network by `torch_slim` to a float .ptl.

    Raises:
        CannotRun: the data is missing.
    """
    return {name: compressed(name, recipe, needs=needs) for name, (_, needs, recipe) in _NETS.items()}


def figures(found: dict[str, Compressed]) -> tuple[Figure, ...]:
    """A row for each network."""
    rows = []
    for name, one in found.items():
        share = one.macs[1] / one.macs[0]
        rows.append(
            Figure(
                what=f"{_NETS[name][0]}, {share:.3f} of the multiply-accumulates, fine-tuned",
                value=spoken(one),
                goal=f"at most {_SHARE} of the work and {_MOST_POINTS:g} point below float",
                met=share <= _SHARE and one.drop_points <= _MOST_POINTS,
                note=f"{one.macs[0]:,} to {one.macs[1]:,} multiply-accumulates",
            )
        )
    return tuple(rows)
