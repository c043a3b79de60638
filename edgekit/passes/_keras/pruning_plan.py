"""Which weight tensor is pruned how far and by whom: tfmot's wrapper, our own mask, or nobody, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.passes._keras import masks
from edgekit.passes._keras.kernels import WRAPPED, Kernel, Weighted, check_choice, chosen, listed
from edgekit.passes._keras.pruning_schedule import Schedule
from edgekit.passes.prune import parse_pattern

_INPUT_AXIS = {
    "Conv1D": -2,
    "Conv2D": -2,
    "Conv3D": -2,
    "SeparableConv1D": -2,
    "SeparableConv2D": -2,
    "Conv2DTranspose": -1,
    "Dense": 0,
    "LSTM": 0,
    "LSTMCell": 0,
    "GRU": 0,
    "GRUCell": 0,
    "SimpleRNN": 0,
    "SimpleRNNCell": 0,
}
"""Class -> the axis of its weights that is summed over and comes last in a .tflite: where m:n groups lie."""
_MATRICES = ("Conv1D", "Conv2D", "Dense")


@dataclass(frozen=True, kw_only=True)
class Form:
    """The shape that zeros come in.

    Attributes:
        zeros, group: of an m:n pattern, None for others.
        block: height and width; (1, 1) for single weights.
    """

    zeros: int | None
    group: int | None
    block: tuple[int, int]

    @classmethod
    def of(cls, params: dict[str, Any]) -> Form:
        """From the parameters of `edgekit.passes.prune.PruneParams`."""
        zeros, group = parse_pattern(params["pattern"]) or (None, None)
        height, width = params["block_size"]
        return cls(zeros=zeros, group=group, block=(height, width))


@dataclass(frozen=True, kw_only=True)
class Task:
    """What happens to one weight tensor.

    Attributes:
        path: of its layer.
        name: as notes name it: the layer, and the tensor where it is not the only one.
        kernel: the tensor.
        sparsity: share of zeros to reach; for an m:n pattern what its groups come to.
        form: the shape of the zeros.
        axis: where the groups of an m:n pattern lie.
        by: "tfmot", "mask", or "nobody".
        why: for "nobody" and "mask" the reason, in two or three words.
    """

    path: str
    name: str
    kernel: Kernel
    sparsity: float
    form: Form
    axis: int | None
    by: str
    why: str

    def masked(self, schedule: Schedule) -> masks.Masked:
        """The task for our own callback."""

        def mask(weights: NDArray[Any], step: int) -> masks.Mask | None:
            if self.form.zeros is not None and self.form.group is not None and self.axis is not None:
                return masks.m_of_n(weights, self.form.zeros, self.form.group, self.axis) if step == 1 else None
            if not schedule.due(step):
                return None
            share = schedule.sparsity(step, self.sparsity)
            if self.form.block == (1, 1):
                return masks.unstructured(weights, share)
            return masks.blocks(weights, share, self.form.block)

        return masks.Masked(variable=self.kernel.variable, mask=mask)

    def reached(self, weights: NDArray[Any]) -> bool:
        """Whether written weights are as sparse as asked."""
        if self.form.zeros is not None and self.form.group is not None and self.axis is not None:
            return masks.fewest_zeros(weights, self.form.group, self.axis) >= self.form.zeros
        if self.form.block != (1, 1):
            weights = masks.block_means(np.abs(weights.reshape(-1, weights.shape[-1])), self.form.block)
        return int(np.count_nonzero(weights)) <= masks.kept_of(weights.size, self.sparsity) + 1


def plan(layers: Sequence[Weighted], params: dict[str, Any], *, masking: bool, name: str) -> list[Task]:
    """What happens to each weight tensor of a model.

    Args:
        layers: with weights.
        params: of `edgekit.passes.prune.PruneParams`.
        masking: the model passes masks of padded sequences on, which tfmot's wrappers lose.
        name: of the model, for messages.

    Raises:
        ConfigurationError: a pattern or class chooses nothing, or everything is to stay dense.
        UnsupportedError: the model has no weights that can be pruned so.
    """
    check_choice(layers, "prune.layers", params["layers"])
    check_choice(layers, "prune.skip", params["skip"])
    kinds = sorted({layer.kind for layer in layers})
    for kind in params["types"]:
        if kind not in kinds:
            raise ConfigurationError(
                f"prune.types: {name} has no layer of class {kind!r}", hint=f"it has: {', '.join(kinds) or 'none'}"
            )
    tasks = [task for layer in layers for task in _tasks(layer, params, masking=masking)]
    if all(task.by == "nobody" for task in tasks):
        reasons = listed([f"{task.name} ({task.why})" for task in tasks])
        if any(task.why == "as asked" for task in tasks):
            raise ConfigurationError(
                f"prune leaves every layer of {name} dense: {reasons}", hint="raise sparsity, or skip fewer layers"
            )
        raise UnsupportedError(
            f"no layer of {name} can be pruned with pattern {params['pattern']!r}: {reasons or 'it has no weights'}",
            hint='take pattern = "unstructured", or leave out the step prune',
        )
    return tasks


def _tasks(layer: Weighted, params: dict[str, Any], *, masking: bool) -> Iterator[Task]:
    form = Form.of(params)
    wanted = _wanted(layer, params)
    for kernel in layer.kernels:
        axis = None if kernel.attribute == "depthwise_kernel" else _INPUT_AXIS.get(kernel.owner)
        why = _why_not(kernel, form, axis, wanted)
        wrapped = WRAPPED.get(layer.kind) == kernel.attribute and not masking
        if form.group is not None:
            wrapped = wrapped and layer.kind in ("Conv2D", "Dense") and kernel.variable.shape.rank in (2, 4)
        elif form.block != (1, 1):
            wrapped = wrapped and layer.kind == "Dense"
        yield Task(
            path=layer.path,
            name=layer.name_of(kernel),
            kernel=kernel,
            sparsity=wanted,
            form=form,
            axis=axis,
            by="nobody" if why else "tfmot" if wrapped else "mask",
            why=why or ("depthwise" if kernel.attribute == "depthwise_kernel" else layer.kind),
        )


def _wanted(layer: Weighted, params: dict[str, Any]) -> float:
    """The sparsity that people want for a layer."""
    if chosen(layer, params["skip"]) is not None:
        return 0.0
    if params["pattern"] != "unstructured":
        zeros, group = parse_pattern(params["pattern"]) or (0, 1)
        return zeros / group
    pattern = chosen(layer, params["layers"])
    if pattern is not None:
        return float(params["layers"][pattern])
    return float(params["types"].get(layer.kind, params["sparsity"]))


def _why_not(kernel: Kernel, form: Form, axis: int | None, wanted: float) -> str:
    """The reason to leave a tensor dense, empty for none."""
    if wanted == 0:
        return "as asked"
    depthwise = kernel.attribute == "depthwise_kernel"
    if form.group is not None and form.zeros is not None:
        if axis is None:
            return "depthwise" if depthwise else f"{kernel.owner} has no such groups"
        channels = int(kernel.variable.shape[axis])
        if channels <= form.group - form.zeros:
            return "one input channel" if channels == 1 else f"{channels} input channels"
    elif form.block != (1, 1) and (depthwise or kernel.owner not in _MATRICES):
        return "depthwise" if depthwise else f"{kernel.owner} is multiplied as no matrix"
    return ""
