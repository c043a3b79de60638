"""Small nets for small images, such as 28 x 28 drawings: depth, width, kernel, separable or not, resolution."""

from __future__ import annotations

from typing import Any

from edgekit.spaces import _blocks

_SMALLEST = 4
"""Height and width below which nothing is halved any more."""


def space(trial: Any) -> tuple[Any, dict[str, Any]]:
    """A convolutional classifier of one image.

    Suggests: `resolution` (1 takes the image as it is, 2 halves it by averages), `stem.filters`, `stem.kernel` (its
    stride is 2), `depth` (blocks behind the stem, 0 to 3), `separable` (blocks are depthwise separable), for each block
    `block<n>.filters`, `block<n>.kernel`, `block<n>.stride` (no stride on maps of 4 x 4 and less), `head`, `dropout`,
    `learning_rate`. From about 60 to 40,000 parameters.

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
    filters = trial.suggest_categorical("stem.filters", _blocks.WIDTHS[:4])
    x = _blocks.convolution(x, filters, (kernel, kernel), (2, 2), separable=False)
    depth = trial.suggest_int("depth", 0, 3)
    separable = trial.suggest_categorical("separable", [True, False]) if depth else False
    for number in range(1, depth + 1):
        filters = trial.suggest_categorical(f"block{number}.filters", _blocks.WIDTHS)
        kernel = trial.suggest_categorical(f"block{number}.kernel", [3, 5])
        stride = trial.suggest_categorical(f"block{number}.stride", [1, 2]) if min(x.shape[1:3]) > _SMALLEST else 1
        x = _blocks.convolution(x, filters, (kernel, kernel), (stride, stride), separable=separable)
    return keras.Model(inputs, _blocks.scores(trial, x)), _blocks.training(trial)
