"""The training loop of all passes that train a PyTorch module: hooks for the passes, and a way to go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import InputError
from edgekit.passes._torch import _loop
from edgekit.passes._torch._losses import Loss, rule
from edgekit.passes._torch.samples import check
from edgekit.passes._train.checkpoint import Checkpoint
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import split


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What a pass does while its module trains. Steps and epochs count from 0, over the whole training.

    Everything that a hook changes has to follow from its argument, the module and `tensors`: a training that was
    interrupted goes on without the calls before.

    Attributes:
        on_epoch: called before an epoch, with the module in training mode already.
        before_step: called when a step's gradients are there, and the optimizer has not used them yet.
        after_step: called when the optimizer has changed the weights.
        learning_rate: factor on the learning rate at a step, as for a rewound schedule; 1 without it.
        tensors: what a pass keeps outside of the module and of `beside`, e.g. masks or scores; changed in place.
        beside: modules that train with the module and are thrown away, as a projection onto a teacher's features.
        mode: sets training mode (True) or evaluation mode (False); None takes the module's `train`, which the graphs
            of torch.export do not have.
        settled_at: the first epoch that may count as the best one: the module before it is not yet what it is to
            become, e.g. not sparse enough.
        keeps_best: the weights with the lowest validation loss stay whatever `patience` is, and those before the first
            epoch count too.
    """

    on_epoch: Callable[[int], None] | None = None
    before_step: Callable[[int], None] | None = None
    after_step: Callable[[int], None] | None = None
    learning_rate: Callable[[int], float] | None = None
    tensors: Sequence[Any] = ()
    beside: Sequence[Any] = ()
    mode: Callable[[bool], None] | None = None
    settled_at: int = 0
    keeps_best: bool = False


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a training did.

    Attributes:
        epochs: how many ran, those before an interruption counted.
        resumed_at: the epoch that this run began with, 0 for a training from the start.
        history: per epoch the mean losses, {"loss": [...], "val_loss": [...]}.
        notes: what the user should know of the training, one sentence each; a pass adds them to its own.
    """

    epochs: int
    resumed_at: int
    history: dict[str, list[float]]
    notes: tuple[str, ...] = ()


def steps_per_epoch(job: TrainingJob) -> int:
    """Optimizer steps of one epoch; the last one may hold fewer samples."""
    training, _ = split(len(job.x[0]), job.params["validation_split"], job.params["seed"])
    return _loop.steps(len(training), job.params["batch_size"])


def steps_of(job: TrainingJob) -> int:
    """Optimizer steps of the whole training, which schedules of pruning are laid out over."""
    return int(job.params["epochs"]) * steps_per_epoch(job)


def fit(
    module: Any, job: TrainingJob, *, inputs: Sequence[TensorSpec], loss: Loss | None = None, hooks: Hooks | None = None
) -> Fitted:
    """Train a module in place; it ends in evaluation mode.

    The split into training and validation samples follows the seed, the order of the samples the seed and the epoch,
    and the masks of dropout too; so a training that was interrupted and goes on from its last epoch gives the same
    weights as one that was not. Without `patience` the weights of the last epoch stay, with it those of the epoch with
    the lowest validation loss. Call `edgekit.passes._torch.settings.settle` before, as `load` does.

    A single sample that is left over at the end of an epoch is left out of it, as batch norm cannot learn from one.

    Args:
        module: to train; parameters with `requires_grad` False stay.
        job: data, parameters of the loop, place of the checkpoint.
        inputs: the module's signature.
        loss: called with the module, a tuple of input tensors, and the targets of a batch (int64 labels of shape
            [batch], or None without labels); returns a scalar. None takes the rule of the parameter `loss`.
        hooks: of the pass.

    Raises:
        InputError: the data does not fit the module (labels out of range, no labels for a classifier, too few samples),
            or the loss is not a number.
        ConfigurationError: the loss does not fit the module, or there is no such training loop of the user's.
        UnsupportedError: the module has several outputs, or fails.
        StorageError: the checkpoint cannot be written.
    """
    hooks = hooks or Hooks()
    check(job.x, inputs, name=job.name)
    if job.params["loop"]:
        _loop.users(module, job, hooks)
        return Fitted(epochs=0, resumed_at=0, history={})
    loss = loss or rule(module, job, inputs)
    training, held_back = split(len(job.x[0]), job.params["validation_split"], job.params["seed"])
    needed = 2 * job.params["batch_size"]
    if len(training) < needed:
        share = 1 - job.params["validation_split"]
        raise InputError(
            f"{len(training)} training samples are fewer than two batches of {job.params['batch_size']}",
            hint=f"give at least {math.ceil(needed / share)} samples, or a batch_size of "
            f"{max(1, len(training) // 2)} at most",
        )
    loop = _loop.Loop(module, job, inputs, loss, hooks, Checkpoint.of(job))
    loop.run(training, held_back)
    return Fitted(
        epochs=loop.progress.epoch,
        resumed_at=loop.resumed_at,
        history=loop.progress.history,
        notes=tuple(loop.notes),
    )
