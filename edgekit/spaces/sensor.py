"""Small nets for windows of sensors, such as accelerometers: depth, width, kernel, separable or not, resolution."""

from __future__ import annotations

from typing import Any

from edgekit.spaces import _blocks

_SHORTEST = 8
"""Steps in time below which nothing is halved any more."""


def space(trial: Any) -> tuple[Any, dict[str, Any]]:
    """A convolutional classifier of one window; convolutions run along time and see all channels.

    Suggests: `resolution` (1, 2 or 4 steps are averaged to one), `stem.filters`, `stem.kernel` (its stride is 2),
    `depth` (blocks behind the stem, 0 to 3), `separable`, for each block `block<n>.filters`, `block<n>.kernel`,
    `block<n>.stride`, `head`, `dropout`, `learning_rate`. From about 50 to 60,000 parameters.

    Args:
        trial: knows the data: samples of shape [steps, channels], float32, each channel normalised.

    Returns:
        The Keras model, its output one score a class, and how it is trained.
    """
    import keras
    from keras import layers

    if len(trial.input_shape) != 2:
        raise ValueError(f"a window has steps and channels; the data has the shape {trial.input_shape}")
    steps, channels = trial.input_shape
    inputs = keras.Input((steps, channels))
    factors = [factor for factor in (1, 2, 4) if steps >= 4 * _SHORTEST * factor] or [1]
    x = layers.Reshape((steps, 1, channels))(inputs)
    x = _blocks.shrunk(x, (trial.suggest_categorical("resolution", factors), 1))
    kernel = trial.suggest_categorical("stem.kernel", [3, 5, 9])
    filters = trial.suggest_categorical("stem.filters", _blocks.WIDTHS[:4])
    x = _blocks.convolution(x, filters, (kernel, 1), (2, 1), separable=False)
    depth = trial.suggest_int("depth", 0, 3)
    separable = trial.suggest_categorical("separable", [True, False]) if depth else False
    for number in range(1, depth + 1):
        filters = trial.suggest_categorical(f"block{number}.filters", _blocks.WIDTHS)
        kernel = trial.suggest_categorical(f"block{number}.kernel", [3, 5])
        stride = trial.suggest_categorical(f"block{number}.stride", [1, 2]) if x.shape[1] > _SHORTEST else 1
        x = _blocks.convolution(x, filters, (kernel, 1), (stride, 1), separable=separable)
    return keras.Model(inputs, _blocks.scores(trial, x)), _blocks.training(trial)
