"""Which weight tensors share how many values, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.passes._keras.kernels import WRAPPED, Kernel, Weighted, check_choice, chosen, listed
from edgekit.passes.cluster import DEFAULT_CLUSTERS


@dataclass(frozen=True, kw_only=True)
class Task:
    """What happens to one weight tensor.

    Attributes:
        path: of its layer.
        index: its place among the layer's weight tensors.
        name: as notes name it.
        kernel: the tensor.
        clusters: values that it may hold, or each of its channels.
        per_channel: the last axis is clustered channel by channel.
        why_not: the reason to leave it, empty for none.
        frozen: it holds few enough values already, so its layer is not trained.
    """

    path: str
    index: int
    name: str
    kernel: Kernel
    clusters: int
    per_channel: bool
    why_not: str = ""
    frozen: bool = False


def plan(layers: Sequence[Weighted], params: dict[str, Any], *, masking: bool, name: str) -> list[Task]:
    """What happens to each weight tensor of a model.

    Args:
        layers: with weights.
        params: of `edgekit.passes.cluster.ClusterParams`.
        masking: the model passes masks of padded sequences on, which tfmot's wrappers lose.
        name: of the model, for messages.

    Raises:
        ConfigurationError: more clusters than weights; a pattern chooses nothing; everything is skipped.
        UnsupportedError: no layer of the model can be clustered.
    """
    check_choice(layers, "cluster.layers", params["layers"])
    check_choice(layers, "cluster.skip", params["skip"])
    tasks = [_task(layer, index, params, masking) for layer in layers for index in range(len(layer.kernels))]
    if all(task.why_not for task in tasks):
        reasons = listed([f"{task.name} ({task.why_not})" for task in tasks])
        if any(task.why_not == "as asked" for task in tasks):
            raise ConfigurationError(
                f"cluster leaves every layer of {name} as it is: {reasons}", hint="skip fewer layers"
            )
        raise UnsupportedError(
            f"no layer of {name} can be clustered: {reasons or 'it has no weights'}", hint="leave out the step cluster"
        )
    return tasks


def most_values(weights: NDArray[Any], *, per_channel: bool) -> int:
    """Different values of a tensor, or of the channel that has the most."""
    if not per_channel:
        return len(np.unique(weights))
    return max(len(np.unique(weights[..., channel])) for channel in range(weights.shape[-1]))


def _task(layer: Weighted, index: int, params: dict[str, Any], masking: bool) -> Task:
    kernel = layer.kernels[index]
    pattern = chosen(layer, params["layers"])
    asked = params["clusters"] if pattern is None else params["layers"][pattern]
    task = Task(
        path=layer.path,
        index=index,
        name=layer.name_of(kernel),
        kernel=kernel,
        clusters=DEFAULT_CLUSTERS if asked is None else asked,
        per_channel=bool(params["per_channel"]) and layer.kind == "Conv2D",
        why_not=_why_not(layer, kernel, params, masking),
    )
    if task.why_not:
        return task
    return _counted(task, layer.layer.name, by_default=asked is None, preserve_sparsity=params["preserve_sparsity"])


def _counted(task: Task, layer: str, *, by_default: bool, preserve_sparsity: bool) -> Task:
    """The task after a look at the values that the tensor holds now."""
    weights, clusters = task.kernel.variable.numpy(), task.clusters
    count = weights[..., 0].size if task.per_channel else weights.size
    if clusters > count:
        if by_default:
            return replace(task, why_not=f"{count} weights{' a channel' if task.per_channel else ''}")
        where = f"a channel of {task.name}" if task.per_channel else task.name
        raise ConfigurationError(
            f"cluster asks for {clusters} clusters, and {where} has {count} weights",
            hint=f'give it fewer, layers = {{ "{layer}" = {max(3, count // 4)} }}, or skip it',
        )
    if task.per_channel and preserve_sparsity:
        # tfmot wants as many centroids in each channel, and with its zeros kept a channel may have too few weights
        nonzero = [np.unique(each[each != 0]).size for each in np.moveaxis(weights, -1, 0)]
        task = replace(task, per_channel=min(nonzero) >= clusters)
    return replace(task, frozen=most_values(weights, per_channel=task.per_channel) <= clusters)


def _why_not(layer: Weighted, kernel: Kernel, params: dict[str, Any], masking: bool) -> str:
    if chosen(layer, params["skip"]) is not None:
        return "as asked"
    if kernel.attribute == "depthwise_kernel":
        return "depthwise"
    if WRAPPED.get(layer.kind) != kernel.attribute:
        return layer.kind
    return "the model masks padding" if masking else ""
