"""A net of an architecture search in PyTorch, in the child process: written, weighed up before training, trained."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.passes._torch import distillation_losses
from edgekit.passes._torch._losses import Loss, answer_of, ends_in_sigmoid, rule, sum_to_one
from edgekit.passes._torch.facts import module_facts
from edgekit.passes._torch.fitting import Hooks, fit, steps_of
from edgekit.passes._torch.loading import Loaded, load, save
from edgekit.passes._torch.samples import tensors
from edgekit.passes._torch.settings import settle
from edgekit.passes._torch.source import make
from edgekit.passes._train import rungs
from edgekit.passes._train.inheritance import Layer, inherited
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order, split

_SPATIAL = {"Conv1d": (2,), "Conv2d": (2, 3), "ConvTranspose1d": (2,), "ConvTranspose2d": (2, 3)}
_BATCH = 512
_TRIED = 32


def write(
    factory: str, shapes: Sequence[Sequence[int]], dtypes: Sequence[str], seed: int, output: str
) -> dict[str, Any]:
    """Write a net as a "torch" artifact.

    Args:
        factory: "module:function@POINT", see `loading.build`.
        shapes, dtypes: of one sample, one an input.
        seed: of its first weights.
        output: the file to write.

    Returns:
        As `edgekit.passes._keras.candidate.write`.

    Raises:
        EdgekitError: as `source.make`.
    """
    told = make(factory, None, "", shapes, dtypes, output, seed=seed)
    return {
        "format": "torch",
        "path": output,
        "factory": factory,
        "parameters": told["facts"]["parameters"],
        "inputs": told["inputs"],
        "outputs": told["outputs"],
    }


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Train a net; it is written unless the study gives it up.

    Args:
        job: as for `edgekit.passes._keras.candidate.train`; the parent is a "torch" artifact.

    Returns:
        As `edgekit.passes._keras.candidate.train`, and the trained artifact's "facts".

    Raises:
        EdgekitError: as `fitting.fit`.
    """
    return _train(TrainingJob(**job))


def _train(job: TrainingJob) -> dict[str, Any]:
    net = load(job.source)
    share = 0.0
    if (parent := job.extra["parent"]) is not None:
        share = _inherit(net.module, load(parent["source"]).module)
    settle(job.params["seed"])
    loss = _taught(net, job) if job.extra["alpha"] is not None else None
    watch = _Watch(net, job)
    steps = steps_of(job)
    hooks = Hooks(on_epoch=watch.on_epoch, learning_rate=lambda step: rungs.cosine(step, steps))
    try:
        fitted = fit(net.module, job, inputs=net.inputs, loss=loss, hooks=hooks)
    except rungs.GivenUpError:
        return {"given_up_at": watch.epochs, "epochs": watch.epochs, "accuracy": watch.accuracy, "inherited": share}
    save(net, job.output)
    return {
        "given_up_at": None, "epochs": fitted.epochs, "accuracy": watch.judged(), "inherited": share,
        "loss": fitted.history["loss"][-1], "facts": module_facts(net),
    }  # fmt: skip


def proxies(job: dict[str, Any]) -> dict[str, float]:
    """Zero-cost proxies of a net: as `edgekit.passes._keras.proxies.proxies`."""
    made = TrainingJob(**job)
    net = load(made.source)
    settle(made.params["seed"])
    found = {"grad_norm": _grad_norm(net, made), "synflow": _synflow(net)}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


class _Watch:
    """Judges a net at its rungs.

    Attributes:
        epochs: that are done.
        accuracy: when it was judged last.
    """

    def __init__(self, net: Loaded, job: TrainingJob) -> None:
        self.epochs = 0
        self.accuracy = 0.0
        self._net, self._job = net, job

    def judged(self) -> float:
        """Share of right answers on what training held back; on what it saw where nothing was held back."""
        import torch

        training, held = split(len(self._job.x[0]), self._job.params["validation_split"], self._job.params["seed"])
        positions = held if len(held) else training
        module, right = self._net.module, 0
        was_training = module.training
        module.eval()
        with torch.no_grad():
            for start in range(0, len(positions), _BATCH):
                at = positions[start : start + _BATCH]
                answer = answer_of(module, tensors(self._job.x, self._net.inputs, at))
                right += int((self._classes(answer) == _labels(self._job)[at]).sum())
        module.train(was_training)
        return right / len(positions)

    def on_epoch(self, epoch: int) -> None:
        """Before an epoch: so many are done."""
        self.epochs = epoch
        if epoch in self._job.extra["rungs"]:
            self.accuracy = self.judged()
            rungs.report(epoch, self.accuracy)

    def _classes(self, answer: Any) -> NDArray[np.int64]:
        values: NDArray[Any] = answer.reshape(len(answer), -1).numpy()
        if values.shape[1] == 1:
            samples = tensors(self._job.x, self._net.inputs, slice(0, 2))
            threshold = 0.5 if ends_in_sigmoid(self._net.module, samples) else 0.0
            return (values[:, 0] > threshold).astype(np.int64)
        chosen: NDArray[Any] = values.argmax(axis=1)
        return chosen.astype(np.int64)


def _labels(job: TrainingJob) -> NDArray[np.int64]:
    assert job.y is not None
    return job.y[:, 0].astype(np.int64) if job.y.ndim > 1 else job.y


def _taught(net: Loaded, job: TrainingJob) -> Loss:
    """The loss of labels and teacher (Hinton et al. 2015, section 2)."""
    import torch
    from torch.nn import functional

    alpha, temperature = job.extra["alpha"], job.extra["temperature"]
    samples = tensors(job.x, net.inputs, slice(0, _TRIED))
    net.module.eval()
    with torch.no_grad():
        answer = answer_of(net.module, samples)
    are_probabilities = sum_to_one(answer) or (answer[0].numel() == 1 and ends_in_sigmoid(net.module, samples))

    def loss(module: Any, inputs: tuple[Any, ...], targets: Any) -> Any:
        given = answer_of(module, inputs)
        ours = distillation_losses.logits(given, are_probabilities=are_probabilities)
        hard = functional.cross_entropy(ours, targets[:, 0].long())
        return (1 - alpha) * hard + alpha * distillation_losses.response(targets[:, 1:], ours, temperature)

    return loss


def _inherit(module: Any, parent: Any) -> float:
    import torch

    new, share = inherited(list(_arrays(module)), list(_arrays(parent)), _SPATIAL)
    with torch.no_grad():
        for layer, arrays in zip(_leaves(module), new, strict=True):
            for name, array in arrays.items():
                getattr(layer, name).copy_(torch.from_numpy(array))
    return share


def _leaves(module: Any) -> Iterator[Any]:
    """Modules with values of their own, in order."""
    for each in module.modules():
        if any(True for _ in _values(each)):
            yield each


def _values(module: Any) -> Iterator[tuple[str, Any]]:
    yield from module.named_parameters(recurse=False)
    yield from ((name, value) for name, value in module.named_buffers(recurse=False) if value.dim())


def _arrays(module: Any) -> Iterator[Layer]:
    for each in _leaves(module):
        yield type(each).__name__, {name: value.detach().numpy().copy() for name, value in _values(each)}


def _synflow(net: Loaded) -> float | None:
    import torch

    flowing = copy.deepcopy(net.module).double().eval()
    with torch.no_grad():
        for each in flowing.parameters():
            each.abs_()
        for name, buffer in flowing.named_buffers():
            if name.rpartition(".")[2] == "running_mean":
                buffer.zero_()
    answer = answer_of(flowing, _ones(net.inputs))
    if sum_to_one(answer.float()) or answer.grad_fn is None:
        return None
    answer.sum().backward()
    flows = [
        (each * each.grad).abs().sum() for each in flowing.parameters() if each.dim() > 1 and each.grad is not None
    ]
    total = float(sum(flows))
    return math.log10(total) if total > 0 and math.isfinite(total) else None


def _grad_norm(net: Loaded, job: TrainingJob) -> float:
    import torch

    loss = rule(net.module, job, net.inputs)
    at = order(len(job.x[0]), job.params["seed"])[: job.params["batch_size"]]
    net.module.train()
    loss(net.module, tensors(job.x, net.inputs, at), torch.from_numpy(_labels(job)[at])).backward()
    return sum(float(each.grad.norm()) for each in net.module.parameters() if each.grad is not None)


def _ones(specs: Sequence[TensorSpec]) -> tuple[Any, ...]:
    import torch

    def dtype(spec: TensorSpec) -> Any:
        found = getattr(torch, spec.dtype)
        return torch.float64 if found.is_floating_point else found

    return tuple(torch.ones((1, *spec.shape[1:]), dtype=dtype(spec)) for spec in specs)
