"""Small nets for small images, such as 28 x 28 drawings: depth, width, kernel, separable or not, resolution."""

from __future__ import annotations

from typing import Any

from edgekit.spaces import _blocks

_SMALLEST = 4
"""Height and width below which nothing is halved any more."""


def space(trial: Any) -> tuple[Any, dict[str, Any]]:
    """A convolutional classifier of one image.

    Suggests: `resolution` (1 takes the image as it is, 2 halves it by averages), `stem.filters`, `stem.kernel` (its
    stride is 2), the blocks behind the stem by `depth` (1 to 4), `separable` (depthwise separable), `kernel`, `width`,
    `growth`, `halvings` and `residual`, then `head`, `dropout`, `learning_rate`, `strength` (of the augmentation) and
    `mirror` (whether an image and its mirror image mean the same). From about 150 to 250,000 parameters.

    Args:
        trial: knows the data: samples of shape [height, width] or [height, width, channels], float32 of about 0 to 1.

    Returns:
        The Keras model, its output one score a class, and how it is trained.
    """
    import keras

    shape = trial.input_shape if len(trial.input_shape) == 3 else (*trial.input_shape, 1)
    if len(shape) != 3:
        raise ValueError(f"an image has height, width and perhaps channels; the data has the shape {shape}")
    inputs = keras.Input(shape)
    factor = trial.suggest_categorical("resolution", [1, 2]) if min(shape[:2]) >= 4 * _SMALLEST else 1
    x = _blocks.shrunk(inputs, (factor, factor))
    kernel = trial.suggest_categorical("stem.kernel", [3, 5])
    filters = trial.suggest_categorical("stem.filters", [4, 8, 12, 16])
    x = _blocks.convolution(x, filters, (kernel, kernel), (2, 2), separable=False)
    x = _blocks.body(trial, x, deepest=4, widths=(8, 12, 16, 24, 32), smallest=_SMALLEST)
    training = _blocks.training(trial, "image") | {"mirror": trial.suggest_categorical("mirror", [False, True])}
    return keras.Model(inputs, _blocks.scores(trial, x)), training
