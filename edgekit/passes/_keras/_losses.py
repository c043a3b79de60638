"""Which loss trains a model, and on which targets: read off its last layer and its data, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError
from edgekit.passes._train.job import TrainingJob

_SHAPE_ONLY = ("Reshape", "Flatten", "Dropout", "ActivityRegularization", "QuantizeLayer", "Identity")


def prepare(model: Any, job: TrainingJob, *, compiled: bool) -> NDArray[Any]:
    """Compile a model by the job's parameters, unless it is.

    Returns:
        The targets, shape [samples, ...]; `job.x[0]` for an autoencoder.

    Raises:
        InputError, ConfigurationError, UnsupportedError: as `fitting.fit`.
    """
    if compiled:
        return job.x[0] if job.y is None else job.y
    optimizer = make_optimizer(job.params["optimizer"], job.params["learning_rate"])
    if len(model.outputs) != 1:
        if not job.params["loop"]:
            raise UnsupportedError(
                f"{job.name} has {len(model.outputs)} outputs, and the built-in training loop knows one",
                hint='give your own with loop = "package.module:function"',
            )
        model.compile(optimizer=optimizer)
        return job.x[0] if job.y is None else job.y
    name = _loss_name(model, job)
    model.compile(optimizer=optimizer, loss=_loss(name, logits=ends_in(model) is None))
    return _regression_targets(model, job) if name == "mse" else _labels(model, job, name)


def ends_in(model: Any) -> str | None:
    """What makes the only output a probability, "softmax" or "sigmoid"; None where it is a score."""
    layer, *_ = model.outputs[0]._keras_history  # noqa: SLF001 -- Keras' own way from a tensor to its layer
    return _probability(layer)


def _probability(layer: Any) -> str | None:
    import tf_keras

    core = getattr(layer, "layer", layer)  # the wrappers of tfmot
    if isinstance(core, tf_keras.Model):
        return ends_in(core)
    kind = type(core).__name__
    if kind == "Softmax":
        return "softmax"
    function = getattr(core, "activation", None)
    function = getattr(function, "activation", function)  # tfmot's QuantizeAwareActivation holds the real one
    name = getattr(function, "__name__", None)
    if name in ("softmax", "sigmoid"):
        return str(name)
    passes_on = kind in _SHAPE_ONLY or (kind == "Activation" and name == "linear")
    if passes_on and layer.inbound_nodes:
        before = layer.inbound_nodes[-1].inbound_layers
        return None if isinstance(before, list) else _probability(before)
    return None


def make_optimizer(name: str, learning_rate: float) -> Any:
    """One of tf_keras' optimizers, its other settings as they come."""
    from tf_keras import optimizers

    classes = {
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "sgd": optimizers.SGD,
        "rmsprop": optimizers.RMSprop,
    }
    return classes[name](learning_rate=learning_rate)


def _loss(name: str, *, logits: bool) -> Any:
    from tf_keras import losses

    if name == "mse":
        return losses.MeanSquaredError()
    if name == "binary_crossentropy":
        return losses.BinaryCrossentropy(from_logits=logits)
    return losses.SparseCategoricalCrossentropy(from_logits=logits)


def _scores(model: Any) -> int | None:
    """How many scores a sample gets; None where the output is no vector."""
    shape = tuple(model.outputs[0].shape)[1:]
    return shape[0] if len(shape) == 1 else None


def _mirrors(model: Any) -> bool:
    """Whether the output has the shape of the only input, as an autoencoder's."""
    return len(model.inputs) == 1 and tuple(model.outputs[0].shape) == tuple(model.inputs[0].shape)


def _loss_name(model: Any, job: TrainingJob) -> str:
    chosen: str = job.params["loss"]
    if chosen != "auto":
        return chosen
    if job.y is None:
        if ends_in(model) == "softmax" or not _mirrors(model):
            raise InputError(
                f"the training data has no labels, and {job.name} is no autoencoder: it answers with the shape "
                f"{tuple(model.outputs[0].shape)[1:]}",
                hint="give labels with the samples",
            )
        return "mse"
    if _mirrors(model) and ends_in(model) is None:
        raise ConfigurationError(
            f"{job.name} answers with the shape of its input: a classifier's scores or an autoencoder's copy",
            hint='say which: loss = "sparse_categorical_crossentropy" or loss = "mse"',
        )
    return "binary_crossentropy" if _scores(model) == 1 else "sparse_categorical_crossentropy"


def _labels(model: Any, job: TrainingJob, loss: str) -> NDArray[Any]:
    """The labels for a cross-entropy, checked."""
    if job.y is None:
        raise InputError(f"the training data has no labels, and {loss} needs them", hint="give labels with the samples")
    scores = _scores(model)
    if scores is None or (scores == 1) != (loss == "binary_crossentropy"):
        raise ConfigurationError(
            f"{loss} does not fit {job.name}, which answers with the shape {tuple(model.outputs[0].shape)[1:]}",
            hint="binary_crossentropy is for one score, sparse_categorical_crossentropy for a vector of them",
        )
    classes = max(2, scores)
    lowest, highest = (int(job.y.min()), int(job.y.max())) if len(job.y) else (0, 0)
    if lowest < 0 or highest >= classes:
        raise InputError(
            f"the labels run from {lowest} to {highest}, {job.name} knows the classes 0 to {classes - 1}",
            hint="number the classes from 0, or give the model that many outputs",
        )
    return job.y[:, None].astype(np.float32) if loss == "binary_crossentropy" else job.y


def _regression_targets(model: Any, job: TrainingJob) -> NDArray[Any]:
    """The input for a model that mirrors it, else the labels as numbers."""
    if _mirrors(model):
        return job.x[0]
    if job.y is not None and _scores(model) == 1:
        return job.y[:, None].astype(np.float32)
    raise ConfigurationError(
        f"mse does not fit {job.name}, which answers with the shape {tuple(model.outputs[0].shape)[1:]}",
        hint="it is for autoencoders and for models of one number; else train with your own loop",
    )
