"""What weights are judged by when they are cut: magnitude, chance, or a function of the user's."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.passes._torch.loading import where
from edgekit.passes._torch.pruning_plan import Plan

Scores = Callable[[], Mapping[str, Any]]
"""Gives, for each tensor's key, a float tensor of its shape; higher stays."""


def scores(criterion: str, plan: Plan, seed: int) -> Scores:
    """The scores of a criterion that looks at the weights alone.

    Args:
        criterion: "l1", "random", or `package.module:function`.
        plan: the tensors.
        seed: of "random", whose scores stay the same through a training.

    Raises:
        ConfigurationError: there is no such function.
    """
    import torch

    if criterion == "l1":
        return lambda: {weight.key: weight.parameter.detach().abs() for weight in plan.weights}
    if criterion == "random":
        generator = torch.Generator().manual_seed(seed)
        drawn = {
            weight.key: torch.rand(weight.parameter.shape, generator=generator, dtype=torch.float64)
            for weight in plan.weights
        }
        return lambda: drawn
    function = _function(criterion)
    return lambda: {weight.key: _judged(function, criterion, weight.key, weight.parameter) for weight in plan.weights}


def _function(name: str) -> Any:
    module_name, _, function_name = name.partition(":")
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as cause:
        raise ConfigurationError(
            f"there is no criterion {name!r}: {cause}",
            hint='name a function of a module that can be imported here, as in "package.module:function"',
        ) from cause


def _judged(function: Any, criterion: str, key: str, parameter: Any) -> Any:
    """The user's scores of one tensor.

    Raises:
        ConfigurationError: the function fails, or gives something else than one finite number a weight.
    """
    import torch

    hint = "it gets a tensor's name and a copy of the tensor, and has to return a finite tensor of its shape"
    try:
        given = function(key, parameter.detach().clone())
    except Exception as cause:
        raise ConfigurationError(
            f"{criterion} fails on {key}: {type(cause).__name__}: {cause}{where(cause)}", hint=hint
        ) from cause
    if not isinstance(given, torch.Tensor) or given.shape != parameter.shape:
        shape = f"the shape {list(given.shape)}" if isinstance(given, torch.Tensor) else f"a {type(given).__name__}"
        raise ConfigurationError(f"{criterion} gives {shape} for {key}, not {list(parameter.shape)}", hint=hint)
    if not bool(given.isfinite().all()):
        raise ConfigurationError(f"{criterion} gives scores for {key} that are no numbers", hint=hint)
    return given
