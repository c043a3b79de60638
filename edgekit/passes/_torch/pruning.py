"""The pass `torch_prune` in the child process: masks round a training, then a look at what was written."""

from __future__ import annotations

from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.passes._keras.pruning_schedule import Schedule
from edgekit.passes._torch.facts import module_facts
from edgekit.passes._torch.fitting import Hooks, fit, steps_of, steps_per_epoch
from edgekit.passes._torch.loading import Loaded, load, save
from edgekit.passes._torch.movement import Movement
from edgekit.passes._torch.pruning_masks import Masks, check, notes_of
from edgekit.passes._torch.pruning_plan import Plan, plan
from edgekit.passes._torch.renewing import renew
from edgekit.passes._torch.scores import Scores, scores
from edgekit.passes._torch.synflow import synflow
from edgekit.passes._train.job import TrainingJob

_NAME = "torch_prune"


def prune(job: dict[str, Any]) -> dict[str, Any]:
    """Train with masks and write the sparse model.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.torch_prune.TorchPruneParams`.

    Returns:
        As `edgekit.passes._base.PassResult`; the notes have the sparsity by layer, and what was left dense.

    Raises:
        ConfigurationError, UnsupportedError, InputError: as `pruning_plan.plan`, `scores.scores`, `synflow.synflow` and
            `fitting.fit`.
    """
    training = TrainingJob(**job)
    params = training.params
    loaded = load(training.source)
    notes = renew(loaded.module, params["seed"]) if params["reinitialise"] else []
    chosen = plan(loaded.module, params, pass_name=_NAME, name=training.name)
    masks = Masks(chosen)
    if params["criterion"] == "synflow":
        synflow(loaded.module, loaded.inputs, masks, params["synflow_rounds"], name=training.name)
    elif not params["fine_tune"]:
        judged = scores(params["criterion"], chosen, params["seed"])()
        for group in chosen.groups:
            masks.cut(group, judged, group.sparsity)
    masks.apply()
    if params["fine_tune"]:
        notes += fit(loaded.module, training, inputs=loaded.inputs, hooks=_hooks(masks, training)).notes
    if not masks.are_final():
        raise ConfigurationError(
            f"{_NAME}.loop is {params['loop']!r}, which ended before the model was sparse",
            hint="call hooks.before_step(step) and hooks.after_step(step) around each optimizer step, counted from 0",
        )
    masks.apply()
    return written(loaded, chosen, training.output, notes)


def written(loaded: Loaded, chosen: Plan, output: str, notes: list[str]) -> dict[str, Any]:
    """Write a sparse module and prove its sparsity; what `PassResult` holds."""
    save(loaded, output)
    return {
        "notes": [*notes_of(chosen, check(output, chosen)), *notes],
        "inputs": [spec.as_json() for spec in loaded.inputs],
        "outputs": [spec.as_json() for spec in loaded.outputs],
        "facts": module_facts(loaded),
    }


def _hooks(masks: Masks, job: TrainingJob) -> Hooks:
    params = job.params
    if params["criterion"] == "synflow":
        return _holding(masks)
    schedule = Schedule.of(params, steps_of(job))
    settled_at = schedule.settled_at(steps_per_epoch(job))
    if params["criterion"] == "movement":
        return _moving(masks, schedule, settled_at)
    return _judging(masks, schedule, scores(params["criterion"], masks.plan, params["seed"]), settled_at)


def _holding(masks: Masks) -> Hooks:
    """Masks that stay as they are through a training."""
    return Hooks(
        before_step=lambda _step: masks.silence(),
        after_step=lambda _step: masks.apply(),
        tensors=tuple(masks.stays.values()),
    )


def _judging(masks: Masks, schedule: Schedule, judge: Scores, settled_at: int) -> Hooks:
    def after_step(step: int) -> None:
        masks.apply()
        if schedule.due(step + 1):
            judged = judge()
            for group in masks.plan.groups:
                masks.cut(group, judged, schedule.sparsity(step + 1, group.sparsity))
            masks.apply()

    return Hooks(
        before_step=lambda _step: masks.silence(),
        after_step=after_step,
        tensors=tuple(masks.stays.values()),
        settled_at=settled_at,
    )


def _moving(masks: Masks, schedule: Schedule, settled_at: int) -> Hooks:
    movement = Movement(masks)

    def before_step(_step: int) -> None:
        movement.learn()
        masks.silence()

    def after_step(step: int) -> None:
        movement.remember()
        if schedule.due(step + 1):
            movement.restore()
            for group in masks.plan.groups:
                sparsity = schedule.sparsity(step + 1, group.sparsity)
                masks.cut(group, movement.scores, sparsity, comes_back=True)
        masks.apply()

    return Hooks(
        before_step=before_step,
        after_step=after_step,
        tensors=(*masks.stays.values(), *movement.tensors),
        settled_at=settled_at,
    )
