"""From a point of a recipe space to the steps that it means.

| parameter | means |
| --- | --- |
| `quantize` | the pass that makes the number format; "none" for none |
| `PASS.PARAM` | a parameter of a step; "off" leaves the step out |
| `layer.NAME` | "int8", "int16" or "float32" for one layer, by the step that quantizes |
| `order` | names of passes, separated by ">": those go first, in this order |

Steps stand in the order in which the space first names their passes, what compiles for a machine last; `quantize`
stands where it is declared, and parameters of passes that it does not take do not count. Where the user names a recipe,
its steps are those that are varied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.recipe import Recipe, Step
from edgekit.core.registry import PASSES
from edgekit.core.search.space import Choice, Integer, Parameter, Value
from edgekit.core.suggest import did_you_mean
from edgekit.flows.budgeted import KEEP_INT16
from edgekit.flows.trials import KEEP_FLOAT, quantizing_place, settled, takes, with_params

QUANTIZE, ORDER, OFF, NONE, LAYER = "quantize", "order", "off", "none", "layer."
_PRECISIONS = ("int8", "int16", "float32")
_KEEPS = {"float32": KEEP_FLOAT, "int16": KEEP_INT16}
_LISTED = 100
"""Whole numbers of a range that are all tried on their pass before a search."""


def check_names(parameters: Sequence[Parameter], base: Recipe | None) -> None:
    """Refuse a space that names what is not there.

    Raises:
        ConfigurationError: a pass, a parameter or a value is not known, or the recipe has no such step.
    """
    for parameter in parameters:
        if parameter.name == QUANTIZE:
            _check_formats(parameter, base)
        elif parameter.name == ORDER:
            _check_order(parameter)
        elif parameter.name.startswith(LAYER):
            _check_layer(parameter)
        else:
            _check_step(parameter, base)


def _check_formats(parameter: Parameter, base: Recipe | None) -> None:
    if base is not None:
        raise ConfigurationError(
            f"recipe {base.name!r} says how to quantize, and the search space varies {QUANTIZE!r}",
            hint="leave out one of them",
        )
    known = PASSES.names()
    for value in _values(parameter):
        if value != NONE and value not in known:
            hint = did_you_mean(str(value), known) or "edgekit recipes lists passes"
            raise ConfigurationError(f"{QUANTIZE} names {value!r}, which is no pass", hint=hint)


def _check_order(parameter: Parameter) -> None:
    known = PASSES.names()
    for value in _values(parameter):
        for name in value.split(">") if isinstance(value, str) else [value]:
            if name and name not in known:
                raise ConfigurationError(
                    f"{ORDER} names {name!r}, which is no pass",
                    hint=did_you_mean(str(name), known) or 'write it like "prune>cluster"',
                )


def _check_layer(parameter: Parameter) -> None:
    for value in _values(parameter):
        if value not in _PRECISIONS:
            raise ConfigurationError(
                f"{parameter.name!r} has the value {value!r}, which is no precision of a layer",
                hint=did_you_mean(str(value), _PRECISIONS) or f"known: {', '.join(_PRECISIONS)}",
            )


def _values(parameter: Parameter) -> tuple[Value, ...]:
    """Values of a parameter of names, of which a range has none."""
    if not isinstance(parameter, Choice):
        raise ConfigurationError(f"{parameter.name!r} is a range of numbers", hint="list its values")
    return parameter.values


def _check_step(parameter: Parameter, base: Recipe | None) -> None:
    known = PASSES.names()
    pass_name, _, param = parameter.name.partition(".")
    if pass_name not in known or not param:
        raise ConfigurationError(
            f"the search space varies {parameter.name!r}, which is no pass with a parameter",
            hint=did_you_mean(pass_name, known) or "such as prune.sparsity; edgekit recipes lists what there is",
        )
    step_pass = PASSES.load(pass_name)
    if not takes(pass_name, param):
        known = [field.name for field in fields(step_pass.params_type)]
        raise ConfigurationError(
            f"the search space varies {parameter.name!r}, and pass {pass_name!r} has no parameter {param!r}",
            hint=did_you_mean(param, known) or f"it takes: {', '.join(known) or 'none'}",
        )
    if base is not None and pass_name not in {step.pass_name for step in base.steps} and not _is_back_end(pass_name):
        raise ConfigurationError(
            f"recipe {base.name!r} has no step {pass_name!r} to vary", hint="add the step, or leave out --recipe"
        )
    for value in _checked(parameter):
        if value != OFF:
            step_pass.parse({param: value})


def _checked(parameter: Parameter) -> Sequence[Value]:
    """Every value of a parameter; of a long range and of real numbers both ends."""
    if isinstance(parameter, Choice):
        return parameter.values
    if isinstance(parameter, Integer) and parameter.high - parameter.low <= _LISTED * parameter.step:
        return range(parameter.low, parameter.high + 1, parameter.step)
    return parameter.low, parameter.high


def recipe_of(point: Mapping[str, Value], parameters: Sequence[Parameter], base: Recipe | None) -> Recipe:
    """The recipe of a point, without choices; conversions that it leaves unsaid are not in it.

    Args:
        point: of the space.
        parameters: the space, for its order.
        base: whose steps are varied; None builds the steps from the space alone.
    """
    given = _by_pass(point)
    steps = [] if base is None else list(settled(base))
    present = {step.pass_name for step in steps}
    if base is None:
        others = _formats(parameters) - {point.get(QUANTIZE)}
        for parameter in parameters:
            name = point.get(QUANTIZE, NONE) if parameter.name == QUANTIZE else parameter.name.partition(".")[0]
            if parameter.name == ORDER or parameter.name.startswith(LAYER) or name in present or name == NONE:
                continue
            if parameter.name == QUANTIZE or (name in given and name not in others):
                present.add(str(name))
                steps.append(Step(pass_name=str(name)))
        steps.sort(key=lambda step: _is_back_end(step.pass_name))
    else:
        steps += [Step(pass_name=name) for name in given if name not in present and _is_back_end(name)]
    left = [step for step in steps if OFF not in given.get(step.pass_name, {}).values()]
    filled = [replace(step, params={**step.params, **given.get(step.pass_name, {})}) for step in left]
    ordered = _ordered(filled, str(point.get(ORDER, "")))
    return Recipe(
        name="search",
        summary="A point of a search.",
        when="It was proposed.",
        steps=_with_layers(ordered, point),
        folder=None if base is None else base.folder,
    )


def _formats(parameters: Sequence[Parameter]) -> set[Value]:
    """Passes of which `quantize` takes one; parameters of the others do not count."""
    return {value for each in parameters if each.name == QUANTIZE and isinstance(each, Choice) for value in each.values}


def _by_pass(point: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    for name, value in point.items():
        if name in (QUANTIZE, ORDER) or name.startswith(LAYER):
            continue
        pass_name, _, param = name.partition(".")
        found.setdefault(pass_name, {})[param] = value
    return found


def _ordered(steps: Sequence[Step], order: str) -> list[Step]:
    """The named passes first, then the others as they stood; what quantizes and what compiles stays behind all."""
    first = [name for name in order.split(">") if name]
    ranks = {name: place for place, name in enumerate(first)}
    movable = [step for step in steps if step.pass_name in ranks]
    movable.sort(key=lambda step: ranks[step.pass_name])
    return [*movable, *(step for step in steps if step.pass_name not in ranks)]


def _with_layers(steps: Sequence[Step], point: Mapping[str, Value]) -> tuple[Step, ...]:
    place = quantizing_place(steps)
    kept: dict[str, list[str]] = {}
    for name, value in point.items():
        if name.startswith(LAYER) and value in _KEEPS:
            kept.setdefault(_KEEPS[str(value)], []).append(name.removeprefix(LAYER))
    if place is None or not kept:
        return tuple(steps)
    own: Mapping[str, Any] = steps[place].params
    return with_params(
        steps, place, **{key: [*own.get(key, ()), *map(layer_pattern, names)] for key, names in kept.items()}
    )


def short_layer(name: str) -> str:
    """What a layer is called in a space: the first of the names that a converter fused into one."""
    return name.partition(";")[0]


def layer_pattern(layer: str) -> str:
    """A regular expression that matches a layer by its short name, and no other."""
    return f"^{re.escape(layer)}(;|$)"


def _is_back_end(pass_name: str) -> bool:
    return bool(PASSES.load(pass_name).is_back_end)
