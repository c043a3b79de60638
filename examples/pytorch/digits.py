"""A PyTorch model as edgekit takes it: a function without arguments, in a module that can be imported."""

from torch import nn


def make() -> nn.Module:
    """A small network for digits of 8 x 8 pixels, channels first: convolution, then a depthwise separable one."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU6(),
        nn.Conv2d(16, 32, 1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 10),
    )
