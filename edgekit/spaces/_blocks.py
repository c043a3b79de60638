"""Parts of small nets that all ready spaces are made of; layers that every int8 runtime and the board compiler have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MOMENTUM = 0.9
"""Of batch norm's moving figures: those of 0.99, Keras' own, are far off after an epoch of 50 steps."""

_CHANNELS_AT_ONCE = 4
"""Numbers of filters are multiples of it: kernels for Cortex-M take four channels at once."""

_MOST_FILTERS = 96
_MOST_PLACES = 64
"""Of a map whose every place may have weights of its own in the last layer."""


def convolution(x: Any, filters: int, kernel: tuple[int, int], stride: tuple[int, int], *, separable: bool) -> Any:
    """A convolution with batch norm and ReLU; a separable one is depthwise, then pointwise (MobileNet, 1704.04861).

    Args:
        x: Keras tensor of shape [batch, height, width, channels].
        filters: channels of the result.
        kernel, stride: in height and width.
        separable: the kernel acts on each channel for itself, then channels are mixed.
    """
    from keras import layers

    if not separable:
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))
    square = stride[0] == stride[1]  # depthwise kernels of TensorFlow have one stride for both axes
    x = layers.DepthwiseConv2D(kernel, strides=stride if square else 1, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))
    x = layers.Conv2D(filters, 1, strides=1 if square else stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))


def body(trial: Any, x: Any, *, deepest: int, widths: Sequence[int], smallest: int, along: bool = False) -> Any:
    """The blocks behind the stem, described by few numbers, so that a search of some dozen trials learns them.

    All blocks are alike but for their filters, which grow where the map shrinks, as in the populations that I.
    Radosavovic et al. found best (Designing Network Design Spaces, CVPR 2020, arXiv 2003.13678, section 3.3). The
    first block keeps the map's size, the next `halvings` halve it, the others keep it.

    Args:
        trial: suggests `depth`, `separable`, `kernel` (of separable blocks; 3 of others), `width` (filters of the first
            block), `growth` (factor where the map is halved), `halvings` and `residual` (what goes into a block is
            added to what comes out, where both have one shape; He et al. 2015, arXiv 1512.03385).
        x: Keras tensor of shape [batch, height, width, channels].
        deepest: most blocks.
        widths: filters to choose from.
        smallest: height and width, as far as they are convolved, below which nothing is halved.
        along: blocks convolve along the first axis alone.
    """
    from keras import layers

    depth = trial.suggest_int("depth", 1, deepest)
    separable = trial.suggest_categorical("separable", [True, False])
    size = trial.suggest_categorical("kernel", [3, 5]) if separable else 3
    width = trial.suggest_categorical("width", list(widths))
    growth = trial.suggest_categorical("growth", [1.0, 1.5, 2.0])
    halvings = trial.suggest_int("halvings", 0, 2)
    residual = trial.suggest_categorical("residual", [True, False])
    filters = width
    for number in range(depth):
        halves = 1 <= number <= halvings and min(x.shape[1:2] if along else x.shape[1:3]) > smallest
        if halves:
            filters = _rounded(filters * growth)
        stride = 2 if halves else 1
        before = x
        x = convolution(
            x,
            filters,
            (size, 1) if along else (size, size),
            (stride, 1) if along else (stride, stride),
            separable=separable,
        )
        if residual and before.shape == x.shape:
            x = layers.Add()([before, x])
    return x


def shrunk(x: Any, factor: tuple[int, int]) -> Any:
    """The average over windows without overlap: a lower resolution.

    Args:
        x: Keras tensor of shape [batch, height, width, channels].
        factor: in height and width.
    """
    from keras import layers

    return x if factor == (1, 1) else layers.AveragePooling2D(factor)(x)


def scores(trial: Any, x: Any) -> Any:
    """One score a class, before any softmax: the largest is the answer, and a board saves the exponentials.

    Args:
        trial: suggests `head` ("average" over all places, or on maps of 64 places at most "flatten": more weights that
            know where) and `dropout`.
        x: Keras tensor of shape [batch, height, width, channels].
    """
    from keras import layers

    is_small = x.shape[1] * x.shape[2] <= _MOST_PLACES
    head = trial.suggest_categorical("head", ["average", "flatten"]) if is_small else "average"
    x = layers.GlobalAveragePooling2D()(x) if head == "average" else layers.Flatten()(x)
    if (dropout := trial.suggest_categorical("dropout", [0.0, 0.1, 0.25])) > 0:
        x = layers.Dropout(dropout)(x)
    return layers.Dense(outputs(trial), name="scores")(x)


def outputs(trial: Any) -> int:
    """How many scores a net answers with.

    Raises:
        ValueError: the data has no classes.
    """
    if trial.classes < 2:
        raise ValueError("the training data has no classes, and a ready space builds classifiers")
    return int(trial.classes)


def training(trial: Any, kind: str) -> dict[str, Any]:
    """How the net is trained: suggests `learning_rate` and `strength`, how far samples are changed (0 not at all).

    Args:
        trial: of the search.
        kind: of the samples; see `edgekit.passes._train.augment.Augmentation`.
    """
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        "batch_size": 32,
        "augment": kind,
        "strength": trial.suggest_categorical("strength", [0.0, 0.25, 0.5]),
    }


def _rounded(filters: float) -> int:
    return min(_MOST_FILTERS, round(filters / _CHANNELS_AT_ONCE) * _CHANNELS_AT_ONCE)
