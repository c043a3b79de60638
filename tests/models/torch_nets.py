"""PyTorch models as a user would keep them, for images of 8 x 8 (channels first): `tests.models.torch_nets:make_cnn`.

Only child processes import this file, as it imports torch; tests name the factories.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own habit

CLASSES = 10


class Cnn(nn.Module):
    """Convolution, batch norm, depthwise and pointwise convolutions, pooling, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 1),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
        )
        self.hidden = nn.Linear(16 * 4 * 4, 32)
        self.scores = nn.Linear(32, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        flat = torch.flatten(self.features(pixels), 1)
        return self.scores(F.relu(self.hidden(flat)))


class Residual(nn.Module):
    """A residual addition, ReLU6, average pooling, a concatenation and a softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.norm2 = nn.BatchNorm2d(12)
        self.relu6 = nn.ReLU6()
        self.pointwise = nn.Conv2d(12, 12, 1)
        self.scores = nn.Linear(24 * 4 * 4, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        first = F.relu(self.norm(self.stem(pixels)))
        deep = self.pointwise(self.relu6(self.norm2(self.depthwise(first))))
        both = torch.cat([F.relu(first + deep), first], dim=1)
        pooled = F.avg_pool2d(both, 2, 2)
        return F.softmax(self.scores(pooled.flatten(1)), dim=1)


class Mlp(nn.Module):
    """Two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 48)
        self.scores = nn.Linear(48, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.scores(torch.relu(self.hidden(pixels.flatten(1))))


class Activations(nn.Module):
    """Activations that torch's integer kernels get wrong: PReLU, and ReLU6 where nothing fuses with it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.prelu = nn.PReLU()
        self.deep = nn.Conv2d(8, 8, 3, padding=1)
        self.scores = nn.Linear(8 * 4 * 4, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        first = self.prelu(self.conv(pixels))
        found = F.max_pool2d(F.relu6(self.deep(first) + first), 2, 2)
        return self.scores(found.flatten(1))


class Lstm(nn.Module):
    """The rows of an image as a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 24, batch_first=True)
        self.scores = nn.Linear(24, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        rows, _ = self.lstm(pixels.squeeze(1))
        return self.scores(rows[:, -1])


class Gru(nn.Module):
    """The rows of an image as a sequence, in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True, bidirectional=True)
        self.scores = nn.Linear(32, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        rows, _ = self.gru(pixels.squeeze(1))
        return self.scores(rows.mean(1))


class Untraceable(nn.Module):
    """What torch.fx cannot follow although nothing depends on the samples' values: control flow over a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.hidden = nn.Linear(8 * 4 * 4, 32)
        self.act = nn.ReLU()
        self.scores = nn.Linear(32, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        found = self.relu(self.norm(self.conv(pixels)))
        if found.shape[-1] > 4:
            found = F.max_pool2d(found, 2, 2)
        return self.scores(self.act(self.hidden(found.flatten(1))))


class UntraceableResidual(Untraceable):
    """As `Untraceable`, with an addition, which eager quantization cannot do."""

    def forward(self, pixels: Tensor) -> Tensor:
        found = self.relu(self.norm(self.conv(pixels)))
        if found.shape[-1] > 4:
            found = F.max_pool2d(found + found, 2, 2)
        return self.scores(self.act(self.hidden(found.flatten(1))))


class Stubbed(Untraceable):
    """As `UntraceableResidual`, as its author prepared it for eager quantization."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = torch.ao.quantization.QuantStub()
        self.dequant = torch.ao.quantization.DeQuantStub()
        self.sum = torch.ao.nn.quantized.FloatFunctional()

    def forward(self, pixels: Tensor) -> Tensor:
        found = self.relu(self.norm(self.conv(self.quant(pixels))))
        if found.shape[-1] > 4:
            found = F.max_pool2d(self.sum.add(found, found), 2, 2)
        return self.dequant(self.scores(self.act(self.hidden(found.flatten(1)))))


class Branching(nn.Module):
    """Dark images take another way: the path depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.bright = nn.Linear(64, CLASSES)
        self.dark = nn.Linear(64, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        flat = pixels.flatten(1)
        if flat.mean() > 0.5:  # the line that messages name
            return self.bright(flat)
        return self.dark(flat)


class Convolution(nn.Module):
    """One convolution over the whole image, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, CLASSES, 8)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.conv(pixels).flatten(1)


class TwoInputs(nn.Module):
    """An image and a vector of two numbers; two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(66, 16)
        self.scores = nn.Linear(16, CLASSES)
        self.brightness = nn.Linear(16, 1)

    def forward(self, pixels: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.hidden(torch.cat([pixels.flatten(1), more], dim=1)))
        return self.scores(hidden), self.brightness(hidden)


class Autoencoder(nn.Module):
    """An image from an image, through 16 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(64, 16)
        self.up = nn.Linear(16, 64)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.up(F.relu(self.down(pixels.flatten(1)))).view(-1, 1, 8, 8)


class OneScore(nn.Module):
    """A probability, with dropout on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 16)
        self.dropout = nn.Dropout(0.3)
        self.score = nn.Linear(16, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.sigmoid(self.score(self.dropout(F.relu(self.hidden(pixels.flatten(1))))))


def make_cnn() -> nn.Module:
    return Cnn()


def make_residual() -> nn.Module:
    return Residual()


def make_mlp() -> nn.Module:
    return Mlp()


def make_activations() -> nn.Module:
    return Activations()


def make_lstm() -> nn.Module:
    return Lstm()


def make_gru() -> nn.Module:
    return Gru()


def make_untraceable() -> nn.Module:
    return Untraceable()


def make_untraceable_residual() -> nn.Module:
    return UntraceableResidual()


def make_stubbed() -> nn.Module:
    return Stubbed()


def make_branching() -> nn.Module:
    return Branching()


def make_convolution() -> nn.Module:
    return Convolution()


def make_two_inputs() -> nn.Module:
    return TwoInputs()


def make_autoencoder() -> nn.Module:
    return Autoencoder()


def make_one_score() -> nn.Module:
    return OneScore()
