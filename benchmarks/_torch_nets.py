"""The PyTorch networks of `scripts/bench pytorch`, as a user would keep them; images go in as channels first."""

from __future__ import annotations

from torch import Tensor, nn


def quickdraw() -> nn.Module:
    """Two convolutions and two scores, as the Keras classifier of drawings; 28 x 28."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(16 * 7 * 7, 2),
    )


def keywords() -> nn.Module:
    """A depthwise separable network for 24 bands of 61 frames, after Zhang et al. 2017, arXiv 1711.07128 (DS-CNN)."""
    return nn.Sequential(
        *_block(1, 24, kernel=(5, 5), stride=2),
        *_separable(24, 24),
        *_separable(24, 32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


def lenet5() -> nn.Module:
    """LeCun et al. 1998, with ReLU and maximum pooling; 61,706 parameters, 28 x 28."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; added to what came in (Sandler et al. 2018, arXiv 1801.04381)."""

    def __init__(self, channels_in: int, channels: int, *, stride: int, expansion: int = 4) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.adds = stride == 1 and channels_in == channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride=stride, padding=1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape [batch, channels_in, height, width] to [batch, channels, height / stride, width / stride]."""
        return x + self.layers(x) if self.adds else self.layers(x)


def mobilenet() -> nn.Module:
    """MobileNetV2's blocks, few and narrow, for digits of 28 x 28."""
    return nn.Sequential(
        *_block(1, 16, kernel=(3, 3), stride=2),
        InvertedResidual(16, 16, stride=1),
        InvertedResidual(16, 24, stride=2),
        InvertedResidual(24, 24, stride=1),
        InvertedResidual(24, 32, stride=2),
        InvertedResidual(32, 32, stride=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


def _block(channels_in: int, channels: int, *, kernel: tuple[int, int], stride: int) -> list[nn.Module]:
    padding = (kernel[0] // 2, kernel[1] // 2)
    convolution = nn.Conv2d(channels_in, channels, kernel, stride=stride, padding=padding, bias=False)
    return [convolution, nn.BatchNorm2d(channels), nn.ReLU()]


def _separable(channels_in: int, channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False),
        nn.BatchNorm2d(channels_in),
        nn.ReLU(),
        nn.Conv2d(channels_in, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    ]
