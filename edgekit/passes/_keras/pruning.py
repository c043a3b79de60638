"""The pass `prune` in the child process: wrappers and masks around a training, then a look at what was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from edgekit.core.errors import InternalError
from edgekit.passes._keras import masks
from edgekit.passes._keras.fitting import fit, set_seed, steps_of, steps_per_epoch
from edgekit.passes._keras.kernels import listed, passes_masks, rewrapped, weighted_layers
from edgekit.passes._keras.loading import load_native, load_tf_keras, save_tf_keras
from edgekit.passes._keras.pruning_plan import Task, plan
from edgekit.passes._keras.pruning_schedule import Schedule
from edgekit.passes._train.job import TrainingJob

_SAMPLES_TO_COMPARE = 8


def prune(job: dict[str, Any]) -> dict[str, Any]:
    """Train with growing sparsity and write the sparse model.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.prune.PruneParams`.

    Returns:
        {"notes": [...]}: the sparsity by layer, and the layers that were left dense.

    Raises:
        ConfigurationError, UnsupportedError, InputError: as `pruning_plan.plan` and `fitting.fit`.
    """
    return _prune(TrainingJob(**job))


def _prune(job: TrainingJob) -> dict[str, Any]:
    from tensorflow_model_optimization.sparsity import keras as tfmot

    params = job.params
    set_seed(params["seed"])
    model = load_tf_keras(job.source, job.source_format, [array[:_SAMPLES_TO_COMPARE] for array in job.x])
    if params["reinitialise"]:
        model = reinitialised(model)
    tasks = plan(list(weighted_layers(model)), params, masking=passes_masks(model), name=job.name)
    schedule = Schedule.of(params, steps_of(job))
    wrap = {task.path: _wrapper(task, schedule) for task in tasks if task.by == "tfmot"}
    own = [task.masked(schedule) for task in tasks if task.by == "mask"]
    callbacks = [tfmot.UpdatePruningStep()] if wrap else []
    callbacks += [masks.callback(own)] if own else []
    wrapped = rewrapped(model, wrap)
    settled_at = schedule.settled_at(steps_per_epoch(job)) if tasks[0].form.group is None else 0
    fitted = fit(wrapped, job, callbacks=callbacks, settled_at=settled_at)
    stripped = tfmot.strip_pruning(wrapped)
    for kernel in (kernel for layer in weighted_layers(stripped) for kernel in layer.kernels):
        kernel.variable.assign(masks.without_negative_zeros(kernel.variable.numpy()))
    save_tf_keras(stripped, job.output)
    found = check(job.output, tasks)
    return {"notes": [*_notes(tasks, found), *fitted.notes]}


def reinitialised(model: Any) -> Any:
    """The same layers with new weights; what was computed from data before any training is kept."""
    import tf_keras

    fresh = tf_keras.models.clone_model(model)
    for old, new in zip(model._flatten_layers(), fresh._flatten_layers(), strict=True):  # noqa: SLF001
        if isinstance(old, tf_keras.layers.Normalization):
            new.set_weights(old.get_weights())
            new.finalize_state()
    return fresh


def check(path: str, tasks: Sequence[Task]) -> dict[str, float]:
    """Sparsity of each pruned tensor in a written model, by the task's name.

    Raises:
        InternalError: one is less sparse than it was to be.
    """
    written = {
        (layer.path, index): kernel.variable.numpy()
        for layer in weighted_layers(load_native(path, "tf_keras"))
        for index, kernel in enumerate(layer.kernels)
    }
    found = {}
    for place, each in groupby(tasks, key=lambda task: task.path):
        for index, task in enumerate(each):
            weights = written[place, index]
            sparsity = float((weights == 0).mean())
            if task.by != "nobody" and not task.reached(weights):
                raise InternalError(
                    f"{task.name} came out with a sparsity of {sparsity:.4f} instead of {task.sparsity:.4f}",
                    hint="report this with the command that you ran",
                )
            found[task.name] = sparsity
    return found


def _wrapper(task: Task, schedule: Schedule) -> Callable[[Any], Any]:
    from tensorflow_model_optimization.sparsity import keras as tfmot

    more: dict[str, Any] = {}
    if task.form.zeros is not None:
        more["sparsity_m_by_n"] = (task.form.zeros, task.form.group)
    elif task.form.block != (1, 1):
        more["block_size"] = task.form.block
    return lambda layer: tfmot.prune_low_magnitude(layer, pruning_schedule=schedule.tfmot(task.sparsity), **more)


def _notes(tasks: Sequence[Task], found: dict[str, float]) -> list[str]:
    """The sparsity by layer in a few sentences."""
    pruned = [task for task in tasks if task.by != "nobody"]
    by_share: dict[str, list[str]] = {}
    for task in pruned:
        by_share.setdefault(f"{found[task.name]:.2f}", []).append(task.name)
    shares = "; ".join(f"{share} in {listed(names)}" for share, names in sorted(by_share.items(), reverse=True))
    notes = [f"Sparsity {shares}."]
    form = tasks[0].form
    if form.group is not None:
        notes.append(
            f"Each {form.group} neighbours along the input channels hold {form.zeros} zeros: the last axis of the "
            "weights in a .tflite."
        )
    own = [f"{task.name} ({task.why})" for task in pruned if task.by == "mask"]
    if own:
        notes.append(f"Pruned by edgekit's own mask, as tfmot passes over them: {listed(own)}.")
    dense = [f"{task.name} ({task.why})" for task in tasks if task.by == "nobody"]
    if dense:
        notes.append(f"Left dense: {listed(dense)}.")
    return notes
