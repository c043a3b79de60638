"""Small nets for spectrograms of a second of sound: depth, width, kernel, separable or not, resolution in time."""

from __future__ import annotations

from typing import Any

from edgekit.spaces import _blocks

_FEWEST = 4
"""Frames or bands below which nothing is halved any more."""


def space(trial: Any) -> tuple[Any, dict[str, Any]]:
    """A convolutional classifier of one spectrogram, after DS-CNN (Zhang et al. 2017, arXiv 1711.07128).

    Suggests: `resolution` (1 takes all frames, 2 averages two each), `stem.filters`, `stem.frames` and `stem.bands`
    (its kernel; its stride is 2 by 2), the blocks behind the stem by `depth` (1 to 5), `separable` (depthwise
    separable), `kernel`, `width`, `growth`, `halvings` and `residual`, then `head`, `dropout`, `learning_rate` and
    `strength` (of the augmentation). From about 400 to 400,000 parameters.

    Args:
        trial: knows the data: samples of shape [frames, bands] or [frames, bands, 1], float32, normalised log-mel
            energies.

    Returns:
        The Keras model, its output one score a class, and how it is trained.
    """
    import keras

    shape = trial.input_shape if len(trial.input_shape) == 3 else (*trial.input_shape, 1)
    if len(shape) != 3:
        raise ValueError(f"a spectrogram has frames and bands; the data has the shape {shape}")
    inputs = keras.Input(shape)
    factor = trial.suggest_categorical("resolution", [1, 2]) if shape[0] >= 8 * _FEWEST else 1
    x = _blocks.shrunk(inputs, (factor, 1))
    size = (
        trial.suggest_categorical("stem.frames", [3, 5, 9]),
        trial.suggest_categorical("stem.bands", [3, 5]),
    )
    filters = trial.suggest_categorical("stem.filters", [8, 12, 16, 24])
    x = _blocks.convolution(x, filters, size, (2, 2), separable=False)
    x = _blocks.body(trial, x, deepest=5, widths=(12, 16, 24, 32, 48), smallest=_FEWEST)
    return keras.Model(inputs, _blocks.scores(trial, x)), _blocks.training(trial, "spectrogram")
