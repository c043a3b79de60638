"""Parts of small nets that all ready spaces are made of; layers that every int8 runtime and the board compiler have."""

from __future__ import annotations

from typing import Any

_MOMENTUM = 0.9
"""Of batch norm's moving figures: those of 0.99, Keras' own, are far off after an epoch of 50 steps."""

WIDTHS = (4, 8, 12, 16, 24, 32)
"""Filters of a layer: kernels for Cortex-M take four channels at once."""


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
        trial: suggests `head` ("average" over all places, or "flatten": more weights that know where) and `dropout`.
        x: Keras tensor of shape [batch, height, width, channels].
    """
    from keras import layers

    head = trial.suggest_categorical("head", ["average", "flatten"])
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


def training(trial: Any) -> dict[str, Any]:
    """How the net is trained: suggests `learning_rate`."""
    return {"learning_rate": trial.suggest_float("learning_rate", 1e-3, 2e-2, log=True), "batch_size": 32}
