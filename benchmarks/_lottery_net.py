"""The PyTorch network of `scripts/bench lottery`, as a user would keep it; for images of 1 x 28 x 28."""

from __future__ import annotations

from torch import nn


def lenet_300_100() -> nn.Module:
    """The fully connected network of LeCun et al. 1998, with ReLU, as in the first paper on lottery tickets."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )
