"""The training loop of all training passes: one loss rule, a fixed order of samples, progress, a way to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.passes._keras.job import TrainingJob


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training did.

    Attributes:
        epochs: how many ran, those before an interruption counted.
        resumed_at: the epoch that this run began with, 0 for a training from the start.
        history: per epoch the figures that Keras reports, e.g. {"loss": [...], "val_loss": [...]}.
    """

    epochs: int
    resumed_at: int
    history: dict[str, list[float]]


def set_seed(seed: int) -> None:
    """Make everything random in TensorFlow, NumPy and Python follow one seed, and the kernels deterministic."""
    import tensorflow as tf
    import tf_keras

    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def steps_of(job: TrainingJob) -> int:
    """Optimizer steps of the whole training, which schedules of pruning are laid out over."""
    raise NotImplementedError


def fit(model: Any, job: TrainingJob, *, callbacks: Sequence[Any] = (), compiled: bool = False) -> Fitted:
    """Train a tf_keras model in place.

    Args:
        model: to train.
        job: data, parameters of the loop, place of the checkpoint.
        callbacks: of tf_keras, e.g. tfmot's UpdatePruningStep.
        compiled: the model brings its own optimizer and loss (`model.compile` was called).

    Raises:
        InputError: the data does not fit the model (labels out of range, no labels for a classifier, too few samples).
    """
    raise NotImplementedError
