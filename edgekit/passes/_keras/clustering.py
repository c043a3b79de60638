"""The pass `cluster` in the child process: wrappers around a training, then a count of the values that were written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import InternalError
from edgekit.passes._keras import masks
from edgekit.passes._keras.clustering_plan import Task, most_values, plan
from edgekit.passes._keras.fitting import fit, set_seed
from edgekit.passes._keras.kernels import listed, passes_masks, rewrapped, weighted_layers
from edgekit.passes._keras.loading import load_native, load_tf_keras, save_tf_keras
from edgekit.passes._train.job import TrainingJob

_SAMPLES_TO_COMPARE = 8


def cluster(job: dict[str, Any]) -> dict[str, Any]:
    """Train with shared weights and write the model.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.cluster.ClusterParams`.

    Returns:
        {"notes": [...]}: the number of values by layer, and the layers that were left.

    Raises:
        ConfigurationError, UnsupportedError, InputError: as `clustering_plan.plan` and `fitting.fit`.
    """
    return _cluster(TrainingJob(**job))


def _cluster(job: TrainingJob) -> dict[str, Any]:
    from tensorflow_model_optimization.clustering import keras as tfmot

    params = job.params
    set_seed(params["seed"])
    model = load_tf_keras(job.source, job.source_format, [array[:_SAMPLES_TO_COMPARE] for array in job.x])
    layers = list(weighted_layers(model))
    tasks = plan(layers, params, masking=passes_masks(model), name=job.name)
    zeros = {task.name: task.kernel.variable.numpy() == 0 for task in tasks}
    trained = {layer.path: layer.layer.trainable for layer in layers}
    for layer in layers:
        each = [task for task in tasks if task.path == layer.path and not task.why_not]
        if each:  # tfmot refuses to wrap a layer that is not trained
            layer.layer.trainable = not any(task.frozen for task in each)
    wrap = {task.path: _wrapper(task, params) for task in tasks if not task.why_not and not task.frozen}
    held = [_held(task, zeros[task.name]) for task in tasks if task.why_not and zeros[task.name].any()]
    callbacks = [masks.callback(held)] if held and params["preserve_sparsity"] else []
    wrapped = rewrapped(model, wrap)
    fitted = fit(wrapped, job, callbacks=callbacks)
    stripped = tfmot.strip_clustering(wrapped)
    for layer in weighted_layers(stripped):
        layer.layer.trainable = trained[layer.path]
        for kernel in layer.kernels:
            kernel.variable.assign(masks.without_negative_zeros(kernel.variable.numpy()))
    save_tf_keras(stripped, job.output)
    found = check(job.output, tasks, zeros if params["preserve_sparsity"] else {})
    return {"notes": [*_notes(tasks, found), *fitted.notes]}


def check(path: str, tasks: Sequence[Task], zeros: dict[str, Any]) -> dict[str, int]:
    """Different values of each tensor, or of its richest channel, in a written model, by the task's name.

    Args:
        path: of the model.
        tasks: what was to happen.
        zeros: by the task's name where zeros were, shape of the tensor; empty where they need not stay.

    Raises:
        InternalError: one holds more values than it may, or a zero got lost.
    """
    layers = {layer.path: layer for layer in weighted_layers(load_native(path, "tf_keras"))}
    found = {}
    for task in tasks:
        weights = layers[task.path].kernels[task.index].variable.numpy()
        found[task.name] = values = most_values(weights, per_channel=task.per_channel)
        if not task.why_not and values > task.clusters:
            raise InternalError(
                f"{task.name} came out with {values} values instead of {task.clusters}",
                hint="report this with the command that you ran",
            )
        if task.name in zeros and weights[zeros[task.name]].any():
            raise InternalError(
                f"{task.name} lost zeros although they were to be kept",
                hint="report this with the command that you ran",
            )
    return found


def _held(task: Task, zeros: NDArray[np.bool_]) -> masks.Masked:
    """Keep the zeros of a tensor that is trained, but not clustered."""
    return masks.Masked(variable=task.kernel.variable, mask=lambda _weights, step: ~zeros if step == 1 else None)


def _wrapper(task: Task, params: dict[str, Any]) -> Callable[[Any], Any]:
    from tensorflow_model_optimization.clustering.keras import CentroidInitialization
    from tensorflow_model_optimization.python.core.clustering.keras.cluster_wrapper import ClusterWeights

    start = {
        "linear": CentroidInitialization.LINEAR,
        "random": CentroidInitialization.RANDOM,
        "density": CentroidInitialization.DENSITY_BASED,
        "kmeans++": CentroidInitialization.KMEANS_PLUS_PLUS,
    }[params["init"]]

    # `cluster_weights` takes the kernel for the bias of a Conv2D without one, finds too few weights a channel (0.8.1,
    # `layer_has_enough_weights_to_cluster`) and leaves the layer out without a word.
    return lambda layer: ClusterWeights(
        layer,
        number_of_clusters=task.clusters,
        cluster_centroids_init=start,
        preserve_sparsity=params["preserve_sparsity"],
        cluster_per_channel=task.per_channel,
    )


def _notes(tasks: Sequence[Task], found: dict[str, int]) -> list[str]:
    """The number of values by layer in a few sentences."""
    by_number: dict[str, list[str]] = {}
    for task in tasks:
        if not task.why_not:
            a_channel = " a channel" if task.per_channel else ""
            by_number.setdefault(f"{found[task.name]} values{a_channel}", []).append(task.name)
    notes = ["; ".join(f"{number} in {listed(names)}" for number, names in by_number.items()) + "."]
    frozen = [task.name for task in tasks if task.frozen]
    if frozen:
        notes.append(f"Few enough values already, so not trained: {listed(frozen)}.")
    left = [f"{task.name} ({task.why_not})" for task in tasks if task.why_not]
    if left:
        notes.append(f"Not clustered: {listed(left)}.")
    return notes
