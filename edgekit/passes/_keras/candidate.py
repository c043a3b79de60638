"""A net of an architecture search in Keras, in the child process: written, judged before training, trained by rungs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import UnsupportedError
from edgekit.passes._keras import _losses, distillation_losses
from edgekit.passes._keras.fitting import fit, set_seed, steps_of
from edgekit.passes._keras.loading import load_tf_keras, save_tf_keras
from edgekit.passes._train import rungs
from edgekit.passes._train.inheritance import Layer, inherited
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import split

_SPATIAL = {
    "Conv1D": (0,), "Conv2D": (0, 1), "Conv2DTranspose": (0, 1), "DepthwiseConv1D": (0,), "DepthwiseConv2D": (0, 1),
    "SeparableConv1D": (0,), "SeparableConv2D": (0, 1),
}  # fmt: skip
_COMPARED = 4
"""Samples on which a net that was rebuilt in tf_keras must answer as the original does."""
_BATCH = 512


def settle(seed: int) -> None:
    """Seeds and name counters of both Keras generations, as far as they are loaded."""
    set_seed(seed)
    if "keras" in sys.modules:
        import keras

        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)


def write(model: Any, dtypes: Sequence[str], output: str) -> dict[str, Any]:
    """Write a net as tf_keras has it.

    Args:
        model: of Keras 3 or tf_keras, Sequential or functional.
        dtypes: of the data, one an input.
        output: the file to write.

    Returns:
        {"format", "path", "factory": None, "parameters", "inputs", "outputs"}, JSON.

    Raises:
        UnsupportedError: it has no graph of layers, open shapes, or a layer that tf_keras does not know.
    """
    if getattr(model, "inputs", None) is None:
        raise UnsupportedError(
            f"{type(model).__name__} has no inputs before it is called", hint="build a Sequential or functional model"
        )
    open_inputs = [tensor.name for tensor in model.inputs if None in tuple(tensor.shape)[1:]]
    if open_inputs or len(model.inputs) != len(dtypes):
        raise UnsupportedError(
            f"the net has {len(model.inputs)} inputs, of open shape: {', '.join(open_inputs) or 'none'}; the data has "
            f"{len(dtypes)}",
            hint="give each input the shape of the data: trial.input_shapes",
        )
    if type(model).__module__.partition(".")[0] == "keras":
        from edgekit.passes._keras.rebuild import rebuild

        raw = np.random.default_rng(0)
        samples = [raw.random((_COMPARED, *tensor.shape[1:])).astype(tensor.dtype) for tensor in model.inputs]
        model = rebuild(model, samples)
    save_tf_keras(model, output)
    return {
        "format": "tf_keras",
        "path": output,
        "factory": None,
        "parameters": model.count_params(),
        "inputs": [_spec(name, tensor) for name, tensor in zip(model.input_names, model.inputs, strict=True)],
        "outputs": [_spec(name, tensor) for name, tensor in zip(model.output_names, model.outputs, strict=True)],
    }


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Train a net; it is written unless the study gives it up.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes._training.TrainingParams`; `labels` holds classes,
            int64 of shape [samples], or with a teacher float32 of shape [samples, 1 + classes]: the class, then the
            teacher's scores (logits). `extra` holds "rungs": epochs after which the study is asked; "parent":
            {"source", "source_format"} to inherit weights from, or None; "alpha" and "temperature" with a teacher,
            else None.

    Returns:
        {"given_up_at": epochs or None, "epochs", "accuracy": on the samples that were held back, "inherited": share of
        the weights, "loss": of the last epoch}, JSON.

    Raises:
        EdgekitError: as `fitting.fit`.
    """
    return _train(TrainingJob(**job))


def _train(job: TrainingJob) -> dict[str, Any]:
    set_seed(job.params["seed"])
    model = load_tf_keras(job.source, job.source_format, [])
    share = 0.0
    if (parent := job.extra["parent"]) is not None:
        share = _inherit(model, load_tf_keras(**parent, samples=[array[:_COMPARED] for array in job.x]))
    is_taught = job.extra["alpha"] is not None
    if is_taught:
        _compile_taught(model, job)
    watch = _Watch(model, job)
    try:
        fitted = fit(model, job, callbacks=watch.callbacks(), compiled=is_taught)
    except rungs.GivenUpError:
        return {"given_up_at": watch.epochs, "epochs": watch.epochs, "accuracy": watch.accuracy, "inherited": share}
    save_tf_keras(model, job.output)
    return {
        "given_up_at": None, "epochs": fitted.epochs, "accuracy": watch.judged(), "inherited": share,
        "loss": fitted.history["loss"][-1],
    }  # fmt: skip


class _Watch:
    """Judges a net at its rungs, and lets its learning rate fall.

    Attributes:
        epochs: that are done.
        accuracy: when it was judged last.
    """

    def __init__(self, model: Any, job: TrainingJob) -> None:
        self.epochs = 0
        self.accuracy = 0.0
        self._model, self._job = model, job
        self._steps = steps_of(job)
        self._step = 0

    def callbacks(self) -> list[Any]:
        import tf_keras

        callback = tf_keras.callbacks.LambdaCallback(
            on_train_batch_begin=self._on_batch_begin, on_epoch_end=self._on_epoch_end
        )
        callback._supports_tf_logs = True  # noqa: SLF001 -- else Keras waits for the loss of every batch
        return [callback]

    def judged(self) -> float:
        """Share of right answers on what training held back; on what it saw where nothing was held back."""
        training, held = split(len(self._job.x[0]), self._job.params["validation_split"], self._job.params["seed"])
        positions = held if len(held) else training
        right = 0
        for start in range(0, len(positions), _BATCH):
            at = positions[start : start + _BATCH]
            answers = self._model([array[at] for array in self._job.x], training=False).numpy()
            right += int((_classes(answers, self._model) == _labels(self._job)[at]).sum())
        return right / len(positions)

    def _on_batch_begin(self, _batch: int, _logs: Any) -> None:
        rate = self._job.params["learning_rate"] * rungs.cosine(self._step, self._steps)
        self._model.optimizer.learning_rate.assign(rate)
        self._step += 1

    def _on_epoch_end(self, epoch: int, _logs: Any) -> None:
        self.epochs = epoch + 1
        if self.epochs in self._job.extra["rungs"]:
            self.accuracy = self.judged()
            rungs.report(self.epochs, self.accuracy)


def _labels(job: TrainingJob) -> NDArray[np.int64]:
    assert job.y is not None
    return job.y[:, 0].astype(np.int64) if job.y.ndim > 1 else job.y


def _classes(answers: NDArray[Any], model: Any) -> NDArray[np.int64]:
    threshold = 0.0 if _losses.ends_in(model) is None else 0.5
    chosen: NDArray[Any] = answers.argmax(axis=-1) if answers.shape[-1] > 1 else answers[:, 0] > threshold
    return chosen.astype(np.int64)


def _compile_taught(model: Any, job: TrainingJob) -> None:
    """The loss of labels and teacher (Hinton et al. 2015, section 2)."""
    from tf_keras import losses

    alpha, temperature = job.extra["alpha"], job.extra["temperature"]
    are_logits = _losses.ends_in(model) is None
    is_binary = model.outputs[0].shape[-1] == 1

    def loss(targets: Any, answers: Any) -> Any:
        labels, scores = targets[:, :1], targets[:, 1:]
        judge = losses.binary_crossentropy if is_binary else losses.sparse_categorical_crossentropy
        hard = judge(labels, answers, from_logits=are_logits)
        ours = distillation_losses.logits(answers, are_logits=are_logits)
        return (1.0 - alpha) * hard + alpha * distillation_losses.response(scores, ours, temperature)

    model.compile(optimizer=_losses.make_optimizer(job.params["optimizer"], job.params["learning_rate"]), loss=loss)


def _inherit(model: Any, parent: Any) -> float:
    variables = [layer.weights for layer in _leaves(model)]
    new, share = inherited(list(_arrays(model)), list(_arrays(parent)), _SPATIAL)
    for each, arrays in zip(variables, new, strict=True):
        for variable, array in zip(each, arrays.values(), strict=True):
            variable.assign(array)
    return share


def _arrays(model: Any) -> Iterator[Layer]:
    for layer in _leaves(model):
        names = [weight.name.rpartition("/")[2].partition(":")[0] for weight in layer.weights]
        yield type(layer).__name__, dict(zip(names, (weight.numpy() for weight in layer.weights), strict=True))


def _leaves(model: Any) -> Iterator[Any]:
    """Layers with weights that hold no other layers, in order, each once."""
    for layer in model._flatten_layers(include_self=False):  # noqa: SLF001 -- `submodules` is slow and unordered
        if layer.weights and not list(layer._flatten_layers(include_self=False)):  # noqa: SLF001
            yield layer


def _spec(name: str, tensor: Any) -> dict[str, Any]:
    return TensorSpec(name=name, shape=(-1, *tuple(tensor.shape)[1:]), dtype=tensor.dtype.name).as_json()
