"""Layers that a declared space names: whether the model has them is seen before the first trial."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.core.errors import ConfigurationError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.recipe import Recipe
from edgekit.core.registry import PASSES
from edgekit.core.search.space import Choice, Parameter
from edgekit.core.suggest import did_you_mean
from edgekit.flows.prepare import Preparation
from edgekit.flows.searching.recipe_space import LAYER, OFF, layer_pattern, short_layer
from edgekit.flows.sensitivity import layers
from edgekit.flows.workspace import workspace

if TYPE_CHECKING:
    from edgekit.flows.searching.request import SearchRequest

_SHOWN = 6
"""Layers that a hint lists."""


def check_layers(request: SearchRequest, parameters: Sequence[Parameter], on_event: OnEvent = ignore) -> None:
    """Refuse a space that names a layer which the model has not.

    A step that trains makes other layers, because converters name what they fuse: a layer that counts beside such
    steps alone is not looked for. Nor are those of a PyTorch model, whose names are the quantizing pass's own.

    Args:
        request: of the search.
        parameters: as somebody declared them.
        on_event: listener.

    Raises:
        ConfigurationError: there is no such layer.
        EdgekitError: the model cannot be read.
    """
    named = [
        parameter.name.removeprefix(LAYER)
        for parameter in parameters
        if parameter.name.startswith(LAYER) and not _is_always_trained(parameter, parameters, request.compile.recipe)
    ]
    if not named:
        return
    with workspace(on_event) as tools:
        made = Preparation(replace(request.compile, recipe=None, max_drop=None, output=None, strict=False), tools)
        if made.reference is None or made.source.format.startswith("torch"):
            return
        known = [layer.name for layer in layers(made.source, made.meter())]
    for name in named:
        if not any(re.search(layer_pattern(name), layer) for layer in known):
            raise ConfigurationError(
                f"the search space varies {LAYER}{name}, and {request.compile.model} has no such layer",
                hint=_hint(name, [short_layer(layer) for layer in known]),
            )


def _is_always_trained(layer: Parameter, parameters: Sequence[Parameter], base: Recipe | None) -> bool:
    """Whether a step that trains runs in every point in which a layer counts."""
    left_out = {each.name.partition(".")[0] for each in parameters if _may_be_off(each)}
    trained = {each.name: each for each in parameters if _trains(each.name.partition(".")[0])}
    beside = {condition.name for condition in layer.when if condition.name in trained and OFF not in condition.values}
    always = {name for name, each in trained.items() if not each.when and not _may_be_off(each)}
    own = {step.pass_name for step in (() if base is None else base.steps) if _trains(step.pass_name)}
    return bool(beside or always or own - left_out)


def _may_be_off(parameter: Parameter) -> bool:
    return isinstance(parameter, Choice) and OFF in parameter.values


def _trains(pass_name: str) -> bool:
    return pass_name in PASSES.names() and bool(PASSES.load(pass_name).needs_training)


def _hint(name: str, known: Sequence[str]) -> str:
    alike = [each for each in known if name.lower() in each.lower()]
    if (close := did_you_mean(name, known)) is not None:
        return close
    shown = ", ".join((alike or list(known))[:_SHOWN])
    return f"edgekit sensitivity lists them, such as {shown}" if shown else "it has no layer that can be quantized"
