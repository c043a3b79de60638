"""Small nets for windows of sensors, such as accelerometers: depth, width, kernel, separable or not, resolution."""

from __future__ import annotations

from typing import Any

from edgekit.spaces import _blocks

_SHORTEST = 8
"""Steps in time below which nothing is halved any more."""


def space(trial: Any) -> tuple[Any, dict[str, Any]]:
    """A convolutional classifier of one window; convolutions run along time and see all channels.

    Suggests: `resolution` (1, 2 or 4 steps are averaged to one), `stem.filters`, `stem.kernel` (its stride is 2),
    the blocks behind the stem by `depth` (1 to 4), `separable`, `kernel`, `width`, `growth`, `halvings` and `residual`,
    then `head`, `dropout`, `learning_rate` and `strength` (of the augmentation). From about 150 to 100,000 parameters.

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
    filters = trial.suggest_categorical("stem.filters", [4, 8, 12, 16])
    x = _blocks.convolution(x, filters, (kernel, 1), (2, 1), separable=False)
    x = _blocks.body(trial, x, deepest=4, widths=(8, 12, 16, 24, 32), smallest=_SHORTEST, along=True)
    return keras.Model(inputs, _blocks.scores(trial, x)), _blocks.training(trial, "window")
