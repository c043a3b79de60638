"""The training loop of all training passes: one loss rule, a fixed order of samples, progress, a way to go on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.errors import InputError
from edgekit.passes._keras import _feeding, _loop
from edgekit.passes._keras._losses import prepare
from edgekit.passes._train.checkpoint import Checkpoint
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import split


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training did.

    Attributes:
        epochs: how many ran, those before an interruption counted.
        resumed_at: the epoch that this run began with, 0 for a training from the start.
        history: per epoch the figures that Keras reports, e.g. {"loss": [...], "val_loss": [...]}.
        notes: what the user should know of the training, one sentence each; a pass adds them to its own.
    """

    epochs: int
    resumed_at: int
    history: dict[str, list[float]]
    notes: tuple[str, ...] = ()


def set_seed(seed: int) -> None:
    """Make everything random in TensorFlow, NumPy and Python follow one seed, and the kernels deterministic.

    Call it before the model is loaded: it also sets back the counters behind the names of new layers, so that the
    bytes of a result do not depend on what the process did before.
    """
    import tensorflow as tf
    import tf_keras

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def steps_per_epoch(job: TrainingJob) -> int:
    """Optimizer steps of one epoch; the last one may hold fewer samples."""
    training, _ = split(len(job.x[0]), job.params["validation_split"], job.params["seed"])
    return -(-len(training) // int(job.params["batch_size"]))


def steps_of(job: TrainingJob) -> int:
    """Optimizer steps of the whole training, which schedules of pruning are laid out over."""
    return int(job.params["epochs"]) * steps_per_epoch(job)


def fit(
    model: Any, job: TrainingJob, *, callbacks: Sequence[Any] = (), compiled: bool = False, settled_at: int = 0
) -> Fitted:
    """Train a tf_keras model in place.

    The split into training and validation samples follows the seed, the order of the samples the seed and the epoch,
    and the masks of dropout too; so a training that was interrupted and goes on from its last epoch gives the same
    weights as one that was not. Without `patience` the weights of the last epoch stay, with it those of the epoch with
    the lowest validation loss.

    Args:
        model: to train.
        job: data, parameters of the loop, place of the checkpoint.
        callbacks: of tf_keras, e.g. tfmot's UpdatePruningStep. One that keeps variables outside of the model names them
            in its attribute `checkpoint_variables`.
        compiled: the model brings its own optimizer and loss (`model.compile` was called); its targets are the labels,
            or its own inputs where the data has none.
        settled_at: the first epoch, counted from 0, that may count as the best one: the model before it is not yet
            what it is to become, e.g. not sparse enough.

    Raises:
        InputError: the data does not fit the model (labels out of range, no labels for a classifier, too few samples),
            or the loss is not a number.
        ConfigurationError: the loss does not fit the model, or there is no such training loop of the user's.
        UnsupportedError: the model has several outputs.
        StorageError: the checkpoint cannot be written.
    """
    _feeding.check_inputs(model, job)
    targets = prepare(model, job, compiled=compiled)
    if job.params["loop"]:
        history = _loop.users(model, job, callbacks)
        return Fitted(epochs=len(history.get("loss", ())), resumed_at=0, history=history)
    feed = _feeding.Feed.of(job, targets)
    needed = 2 * job.params["batch_size"]
    if len(feed.training) < needed:
        share = 1 - job.params["validation_split"]
        raise InputError(
            f"{len(feed.training)} training samples are fewer than two batches of {job.params['batch_size']}",
            hint=f"give at least {math.ceil(needed / share)} samples, or a batch_size of "
            f"{max(1, len(feed.training) // 2)} at most",
        )
    loop = _loop.Loop(model, job, callbacks, settled_at, Checkpoint.of(job))
    loop.run(feed)
    return Fitted(epochs=loop.epochs_done, resumed_at=loop.resumed_at, history=loop.history, notes=tuple(loop.notes))
