"""Small nets for spectrograms of a second of sound: depth, width, kernel, separable or not, resolution in time."""

from __future__ import annotations

from typing import Any

from edgekit.spaces import _blocks

_FEWEST = 4
"""Frames or bands below which nothing is halved any more."""


def space(trial: Any) -> tuple[Any, dict[str, Any]]:
    """A convolutional classifier of one spectrogram, after DS-CNN (Zhang et al. 2017, arXiv 1711.07128).

    Suggests: `resolution` (1 takes all frames, 2 averages two each), `stem.filters`, `stem.frames` and `stem.bands`
    (its kernel; its stride is 2 by 2), `depth` (blocks behind the stem, 1 to 4), `separable` (blocks are depthwise
    separable), for each block `block<n>.filters` and `block<n>.stride`, one `kernel` for all of them, `head`,
    `dropout`, `learning_rate`. From about 400 to 120,000 parameters.

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
    x = _blocks.convolution(x, trial.suggest_categorical("stem.filters", _blocks.WIDTHS), size, (2, 2), separable=False)
    depth = trial.suggest_int("depth", 1, 4)
    separable = trial.suggest_categorical("separable", [True, False])
    kernel = trial.suggest_categorical("kernel", [3, 5])
    for number in range(1, depth + 1):
        filters = trial.suggest_categorical(f"block{number}.filters", _blocks.WIDTHS)
        stride = trial.suggest_categorical(f"block{number}.stride", [1, 2]) if min(x.shape[1:3]) > _FEWEST else 1
        x = _blocks.convolution(x, filters, (kernel, kernel), (stride, stride), separable=separable)
    return keras.Model(inputs, _blocks.scores(trial, x)), _blocks.training(trial)
