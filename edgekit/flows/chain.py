"""Which recipe, and whether its steps fit together, fit the model and fit the target: known before any work begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from edgekit.config.recipes import load_recipe
from edgekit.core.artifact import Artifact
from edgekit.core.errors import UnsupportedError
from edgekit.core.recipe import Recipe, Step
from edgekit.core.registry import PASSES
from edgekit.core.target import Target
from edgekit.flows.formats import RUNNERS, is_read
from edgekit.passes._base import Pass

AS_IS = "as_is"
"""The recipe without steps: for a model that is compressed already."""


def chosen_recipe(recipe: Recipe | None, target: Target, source_format: str, *, compressed: bool) -> Recipe:
    """The user's recipe, or the target's for this kind of model, with the conversion that it leaves unsaid.

    A recipe of the .tflite world says nothing of how a PyTorch model gets there: where a step does not read what the
    one before it writes, a front end that does goes between them. Nor does it say how a microcontroller runs the
    result: where the target does not run what the last step writes, a back end that makes something of it follows.

    Args:
        recipe: what the user named, None for nothing.
        target: where the result will run.
        source_format: of the user's model.
        compressed: it comes ready to run.
    """
    recipe = recipe or load_recipe(AS_IS if compressed else target.recipe_for(source_format))
    steps: list[Step] = []
    format_so_far = source_format
    for step in recipe.steps:
        step_pass = PASSES.load(step.pass_name)
        if (bridge := _front_end(format_so_far, step_pass)) is not None:
            steps.append(Step(pass_name=bridge.name))
        steps.append(step)
        format_so_far = step_pass.emits
    if target.runtime_for(format_so_far) is None and (back_end := _back_end(format_so_far, target)) is not None:
        steps.append(Step(pass_name=back_end.name))
    return replace(recipe, steps=tuple(steps))


def _front_end(source_format: str, step_pass: Pass[Any]) -> Pass[Any] | None:
    """The pass that makes something of a format that a step reads; None where it reads it anyway, or nothing does."""
    if source_format in step_pass.accepts:
        return None
    return next((each for each in front_ends(source_format) if each.emits in step_pass.accepts), None)


def _back_end(last_format: str, target: Target) -> Pass[Any] | None:
    """The pass that compiles what a recipe ends with into what a target runs, None where there is none."""
    candidates: Iterator[Pass[Any]] = map(PASSES.load, PASSES.names())
    suiting = (each for each in candidates if each.is_back_end and last_format in each.accepts)
    return next((each for each in suiting if target.runtime_for(each.emits) is not None), None)


def front_ends(source_format: str) -> Iterator[Pass[Any]]:
    """The passes that bring a model of one framework to a format that other passes, or devices, read."""
    candidates: Iterator[Pass[Any]] = map(PASSES.load, PASSES.names())
    return (each for each in candidates if each.is_front_end and source_format in each.accepts)


def check_chain(recipe: Recipe, target: Target, source_format: str) -> None:
    """Refuse a recipe whose result could not run.

    Raises:
        UnsupportedError: a pass does not read what the one before writes, or the target cannot run the result.
        ConfigurationError: a parameter is wrong.
    """
    if source_format not in RUNNERS and not is_read(source_format):
        raise UnsupportedError(
            f"no pass reads {source_format}: such a file can be inspected only",
            hint="compile what it was made of: module:function --weights FILE, or a .pt2 that torch.export.save writes",
        )
    format_so_far = source_format
    for place, step in enumerate(recipe.steps, start=1):
        step_pass = PASSES.load(step.pass_name)
        params = step_pass.parse(step.params)
        if format_so_far not in step_pass.accepts:
            raise UnsupportedError(
                f"recipe {recipe.name!r}, step {place}: {step.pass_name!r} reads "
                f"{', '.join(sorted(step_pass.accepts))}, but gets {format_so_far}",
                hint="change the order of the steps, or convert the model first",
            )
        if (reason := step_pass.unsupported_params(target, params)) is not None:
            raise UnsupportedError(
                f"recipe {recipe.name!r} does not suit {target.name}: {reason}",
                hint=f"its own recipe is {target.recipe_for(source_format)!r}",
            )
        format_so_far = step_pass.emits
    if target.runtime_for(format_so_far) is None:
        known = sorted({name for runtime in target.runtimes.values() for name in runtime.formats})
        raise UnsupportedError(
            f"recipe {recipe.name!r} ends with {format_so_far}; {target.name} runs {', '.join(known)}",
            hint=f"use its own recipe, {target.recipe_for(source_format)!r}",
        )


def needs_data(recipe: Recipe) -> bool:
    """Whether a step calibrates."""
    return any(PASSES.load(step.pass_name).needs_representative for step in recipe.steps)


def float_pass(source_format: str) -> Pass[Any] | None:
    """The pass that makes the float artifact which compressed ones are compared with; None if no pass can.

    Named after the format that it emits, such a pass does nothing else; others that convert come after it.
    """
    known = PASSES.names()
    for name in (*(name for name in RUNNERS if name in known), *known):
        candidate: Pass[Any] = PASSES.load(name)
        suits = source_format in candidate.accepts and candidate.emits in RUNNERS and candidate.dtype == "float32"
        if suits and not candidate.needs_representative and not candidate.needs_training:
            return candidate
    return None


def lineage(artifacts: Sequence[Artifact]) -> tuple[dict[str, str], ...]:
    """What a manifest tells of an artifact's ancestors, the user's model first."""
    return tuple({"format": item.format, "sha256": item.digest, "made_by": item.made_by} for item in artifacts)
