"""How much each channel matters: norms of its filters, the scale of its batch normalization, or its part in the loss.

All scores are for what is removed together: a channel that several layers make, as through a residual add, counts with
the weights of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import UnsupportedError
from edgekit.core.progress import tell
from edgekit.passes._keras._losses import prepare
from edgekit.passes._keras.slim.channels import Ids
from edgekit.passes._keras.slim.graph import ChannelGraph
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order

_SAMPLES_BETWEEN_WORDS = 64


def score(model: Any, graph: ChannelGraph, job: TrainingJob) -> NDArray[np.float64]:
    """Scores of all channels by `job.params["criterion"]`, shape [graph.count]; NaN for one that it cannot judge."""
    criterion = job.params["criterion"]
    if criterion == "bn_scale":
        return batch_norm_scales(model, graph)
    if criterion == "taylor":
        return taylor(model, graph, job)
    return filter_norms(model, graph, power=1 if criterion == "l1" else 2)


def filter_norms(model: Any, graph: ChannelGraph, *, power: int) -> NDArray[np.float64]:
    """L1 or L2 norm of the weights that make or filter a channel (Li et al. 2017, arXiv 1608.08710, section 3.1)."""
    totals = np.zeros(graph.count)
    for variable, axis, ids in _slices(model, graph, "filters"):
        weights = np.abs(variable.numpy().astype(np.float64)) ** power
        np.add.at(totals, ids, weights.sum(axis=_others(weights.ndim, axis)))
    norms: NDArray[np.float64] = totals ** (1 / power)
    return norms


def batch_norm_scales(model: Any, graph: ChannelGraph) -> NDArray[np.float64]:
    """Mean |gamma| of the batch normalizations of a channel (Liu et al. 2017, arXiv 1708.06519, section 3)."""
    totals, counts = np.zeros(graph.count), np.zeros(graph.count)
    for name, role in graph.roles.items():
        layer = model.get_layer(name)
        if "gamma" in role.slices and "BatchNormalization" in type(layer).__name__:
            (ids,) = role.slices["gamma"].values()
            np.add.at(totals, ids, np.abs(layer.gamma.numpy().astype(np.float64)))
            np.add.at(counts, ids, 1)
    means: NDArray[np.float64] = np.divide(totals, counts, out=np.full(graph.count, np.nan), where=counts > 0)
    return means


def taylor(model: Any, graph: ChannelGraph, job: TrainingJob) -> NDArray[np.float64]:
    """Squared first-order change of the loss without a channel (Molchanov et al. 2019, arXiv 1906.10771, eq. 8 and 9).

    Gradient times weight is summed over all weights that read the channel, squared, and averaged over
    `taylor_samples` of the training samples. By the chain rule that sum is the paper's gate behind the channel's last
    batch normalization and activation; the same sum over the filter that makes the channel would miss what the
    normalization adds.
    """
    import tensorflow as tf

    targets = prepare(model, job, compiled=False)
    loss = model.loss
    if loss is None or isinstance(loss, str):
        raise UnsupportedError(
            f"criterion 'taylor' needs a loss, and {job.name} has {len(model.outputs)} outputs",
            hint="choose criterion l1, l2 or bn_scale",
        )
    readers = list(_slices(model, graph, "readers"))
    variables = [variable for variable, _, _ in readers]

    def sums(sample: Any, target: Any) -> list[Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = loss(target, model(sample, training=False))
        gradients = tape.gradient(value, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [
            tf.reduce_sum(gradient * variable, axis=_others(len(variable.shape), axis))
            for gradient, (variable, axis, _) in zip(gradients, readers, strict=True)
        ]

    compiled = tf.function(sums, reduce_retracing=True)
    # In the seed's order: the files of a data set often are in the order of their classes.
    chosen = order(len(targets), job.params["seed"])[: job.params["taylor_samples"]].tolist()
    totals = np.zeros(graph.count)
    for place, at in enumerate(chosen):
        if place % _SAMPLES_BETWEEN_WORDS == 0:
            tell(f"scoring channels, sample {place} of {len(chosen)}", done=place, total=len(chosen))
        sample = [tf.constant(array[at : at + 1]) for array in job.x]
        answers = compiled(sample[0] if len(sample) == 1 else sample, tf.constant(targets[at : at + 1]))
        change = np.zeros(graph.count)
        for (_, _, ids), answer in zip(readers, answers, strict=True):
            np.add.at(change, ids, answer.numpy().astype(np.float64))
        totals += change**2
    averages: NDArray[np.float64] = totals / len(chosen)
    return averages


def _slices(model: Any, graph: ChannelGraph, kind: str) -> Iterator[tuple[Any, int, Ids]]:
    """Variables that are "filters" or "readers", with the axis of the channels and their numbers."""
    for name, role in graph.roles.items():
        for variable, axis in getattr(role, kind):
            yield getattr(model.get_layer(name), variable), axis, role.slices[variable][axis]


def _others(rank: int, axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(rank) if other != axis)
