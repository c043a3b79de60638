"""Which recipe, and whether its steps fit together, fit the model and fit the target: known before any work begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.errors import UnsupportedError
from edgekit.core.recipe import Recipe
from edgekit.core.registry import PASSES
from edgekit.core.target import Target
from edgekit.passes._base import Pass

AS_IS = "as_is"
"""The recipe without steps: for a model that is compressed already."""


def check_chain(recipe: Recipe, target: Target, source_format: str) -> None:
    """Refuse a recipe whose result could not run.

    Raises:
        UnsupportedError: a pass does not read what the one before writes, or the target cannot run the result.
        ConfigurationError: a parameter is wrong.
    """
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
                hint=f"its own recipe is {target.recipe!r}",
            )
        format_so_far = step_pass.emits
    if target.runtime_for(format_so_far) is None:
        known = sorted({name for runtime in target.runtimes.values() for name in runtime.formats})
        raise UnsupportedError(
            f"recipe {recipe.name!r} ends with {format_so_far}; {target.name} runs {', '.join(known)}",
            hint=f"use its own recipe, {target.recipe!r}",
        )


def needs_data(recipe: Recipe) -> bool:
    """Whether a step calibrates."""
    return any(PASSES.load(step.pass_name).needs_representative for step in recipe.steps)


def float_pass(source_format: str) -> Pass[Any] | None:
    """The pass that makes the float .tflite which compressed models are compared with; None if no pass can."""
    for name in ("tflite", *(name for name in PASSES.names() if name != "tflite")):
        candidate: Pass[Any] = PASSES.load(name)
        suits = source_format in candidate.accepts and candidate.emits == "tflite" and candidate.dtype == "float32"
        if suits and not candidate.needs_representative:
            return candidate
    return None


def lineage(artifacts: Sequence[Artifact]) -> tuple[dict[str, str], ...]:
    """What a manifest tells of an artifact's ancestors, the user's model first."""
    return tuple({"format": item.format, "sha256": item.digest, "made_by": item.made_by} for item in artifacts)
