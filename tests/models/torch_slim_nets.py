"""PyTorch models whose channels depend on each other, for images of 8 x 8, as in `tests.models.torch_nets`.

Only child processes import this file, as it imports torch; tests name the factories.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own habit

CLASSES = 10


class Branches(nn.Module):
    """A residual addition, a depthwise convolution, a concatenation, and a dense layer behind a flattening."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.deep = nn.Conv2d(12, 12, 3, padding=1)
        self.side = nn.Conv2d(12, 8, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.side_norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.1)
        self.both = nn.Conv2d(20, 16, 1)
        self.scores = nn.Linear(16 * 4 * 4, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        first = F.relu(self.norm(self.stem(pixels)))
        added = F.relu(first + self.deep(first))
        side = F.relu(self.side_norm(self.depthwise(self.side(first))))
        both = F.relu(self.both(torch.cat([added, side], dim=1)))
        return self.scores(self.dropout(F.max_pool2d(both, 2, 2).flatten(1)))


class WrittenDown(nn.Module):
    """As many a tutorial has it: the number of features stands in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.hidden = nn.Linear(8 * 8 * 8, 16)
        self.scores = nn.Linear(16, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        found = F.relu(self.conv(pixels))
        found = found.view(len(found), 8 * 8 * 8)  # the line that messages name
        return self.scores(F.relu(self.hidden(found)))


class Shuffled(nn.Module):
    """Channels change places between two convolutions, as in ShuffleNet."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.scores = nn.Linear(8, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        found = torch.relu(self.first(pixels))
        found = torch.relu(self.second(found.flip(1)))
        return self.scores(found.mean((2, 3)))


def make_branches() -> nn.Module:
    return Branches()


def make_written_down() -> nn.Module:
    return WrittenDown()


def make_shuffled() -> nn.Module:
    return Shuffled()
