"""Which loss trains a module, and on which targets: read off its answers and its data, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError
from edgekit.passes._torch.loading import leaves, run_once
from edgekit.passes._torch.samples import tensors
from edgekit.passes._train.job import TrainingJob

Loss = Callable[[Any, tuple[Any, ...], Any], Any]
"""Called with the module, the inputs of a batch and its targets; returns a scalar tensor."""

_TRIED = 32
_ROUNDING = 0.05
"""Ten probabilities that fake quantization rounds to steps of 1/256 miss 1 by less."""
_LOWEST = 1e-7
_SHAPE_ONLY = ("View", "Reshape", "UnsafeView", "Squeeze", "Unsqueeze", "Alias", "Fake", "FusedMovingAvg", "Slice")
"""Beginnings of the names of autograd's nodes that pass a probability on as it is, fake quantization among them."""


def rule(module: Any, job: TrainingJob, inputs: Sequence[TensorSpec]) -> Loss:
    """The loss that the job's parameter `loss` names, or that follows from module and data.

    Cross-entropy takes the answers for probabilities where those of the first samples are none below 0 and sum to
    one, the binary one where a sigmoid comes last; else for scores (logits).

    Raises:
        InputError, ConfigurationError, UnsupportedError: as `fitting.fit`.
    """
    samples = tensors(job.x, inputs, slice(0, _TRIED))
    module.eval()
    answers = run_once(module, samples, name=job.name)
    if len(answers) != 1:
        raise UnsupportedError(
            f"{job.name} has {len(answers)} outputs, and the built-in training loop knows one",
            hint='give your own with loop = "package.module:function"',
        )
    answer = answers[0]
    mirrors = len(samples) == 1 and answer.shape == samples[0].shape
    name = _name(job, answer, mirrors=mirrors)
    if name == "mse":
        return _squared_error(job, answer, mirrors=mirrors)
    _check_labels(job, answer, name)
    if name == "binary_crossentropy":
        return _binary(is_probability=ends_in_sigmoid(module, samples))
    return _categorical(are_probabilities=sum_to_one(answer))


def answer_of(module: Any, inputs: tuple[Any, ...]) -> Any:
    """The first tensor of what a module answers."""
    return leaves(module(*inputs))[0]


def _shape(answer: Any) -> tuple[int, ...]:
    return tuple(answer.shape)[1:]


def _name(job: TrainingJob, answer: Any, *, mirrors: bool) -> str:
    chosen: str = job.params["loss"]
    if chosen != "auto":
        return chosen
    if job.y is None:
        if not mirrors or sum_to_one(answer):
            raise InputError(
                f"the training data has no labels, and {job.name} is no autoencoder: it answers with the shape "
                f"{_shape(answer)}",
                hint="give labels with the samples",
            )
        return "mse"
    if mirrors and not sum_to_one(answer):
        raise ConfigurationError(
            f"{job.name} answers with the shape of its input: a classifier's scores or an autoencoder's copy",
            hint='say which: loss = "sparse_categorical_crossentropy" or loss = "mse"',
        )
    return "binary_crossentropy" if _shape(answer) in ((), (1,)) else "sparse_categorical_crossentropy"


def _check_labels(job: TrainingJob, answer: Any, loss: str) -> None:
    if job.y is None:
        raise InputError(f"the training data has no labels, and {loss} needs them", hint="give labels with the samples")
    shape = _shape(answer)
    if len(shape) > 1 or (shape in ((), (1,))) != (loss == "binary_crossentropy"):
        raise ConfigurationError(
            f"{loss} does not fit {job.name}, which answers with the shape {shape}",
            hint="binary_crossentropy is for one score, sparse_categorical_crossentropy for a vector of them",
        )
    classes = max(2, *shape) if shape else 2
    lowest, highest = (int(job.y.min()), int(job.y.max())) if len(job.y) else (0, 0)
    if lowest < 0 or highest >= classes:
        raise InputError(
            f"the labels run from {lowest} to {highest}, {job.name} knows the classes 0 to {classes - 1}",
            hint="number the classes from 0, or give the model that many outputs",
        )


def _squared_error(job: TrainingJob, answer: Any, *, mirrors: bool) -> Loss:
    """Of the input for a module that mirrors it, else of the labels as numbers."""
    from torch.nn import functional

    if not mirrors and (job.y is None or _shape(answer) not in ((), (1,))):
        raise ConfigurationError(
            f"mse does not fit {job.name}, which answers with the shape {_shape(answer)}",
            hint="it is for autoencoders and for models of one number; else train with your own loop",
        )

    def loss(module: Any, inputs: tuple[Any, ...], targets: Any) -> Any:
        given = answer_of(module, inputs)
        return functional.mse_loss(given, inputs[0] if mirrors else targets.to(given.dtype).view_as(given))

    return loss


def _binary(*, is_probability: bool) -> Loss:
    from torch.nn import functional

    judge = functional.binary_cross_entropy if is_probability else functional.binary_cross_entropy_with_logits

    def loss(module: Any, inputs: tuple[Any, ...], targets: Any) -> Any:
        given = answer_of(module, inputs)
        return judge(given, targets.to(given.dtype).view_as(given))

    return loss


def _categorical(*, are_probabilities: bool) -> Loss:
    from torch.nn import functional

    def loss(module: Any, inputs: tuple[Any, ...], targets: Any) -> Any:
        given = answer_of(module, inputs)
        if are_probabilities:
            return functional.nll_loss(given.clamp(min=_LOWEST).log(), targets)
        return functional.cross_entropy(given, targets)

    return loss


def sum_to_one(answer: Any) -> bool:
    """Whether an answer is a vector of probabilities a sample."""
    values = answer.detach().numpy()
    return values.ndim == 2 and bool((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=_ROUNDING))


def ends_in_sigmoid(module: Any, samples: tuple[Any, ...]) -> bool:
    """Whether the answer is a sigmoid's, by the graph that autograd keeps: numbers between 0 and 1 may be scores."""
    import torch

    with torch.enable_grad():
        node = answer_of(module, samples).grad_fn
    while node is not None and node.name().startswith(_SHAPE_ONLY):
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith("Sigmoid")
