"""What a search will do, worked out before the first trial: its space, goals and limits, and what makes it itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.core.digest import sha256_file, sha256_path
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.factory import Factory
from edgekit.core.measurement import Provenance
from edgekit.core.search import space
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Parameter, Value
from edgekit.core.suggest import did_you_mean
from edgekit.engines._base import ENGINES, Engine
from edgekit.flows.inventory import inventory
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.request import SearchRequest

_RECIPES = "edgekit.flows.searching.recipe_candidate:open_recipe_candidate"
_ARCHITECTURES = "edgekit.flows.searching.architecture_candidate:open_architecture_candidate"
_IDENTITY = 2
"""Version of the rules for what an identity holds and for how trials are numbered."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A search that can begin.

    Attributes:
        opener: "module:function" that gives, for the request and `Tools`, a context manager of a Candidate.
        identity: what must be the same when it goes on; see `StudyPlan.identity`.
        parameters: declared ones.
        goals: at least one.
        limits: constraints.
        strategy: of the engine.
        first_points: tried before the engine's own.
        provenance: what the device's numbers are: "measured", "emulated" or "estimated".
        warnings: for people, one sentence each.
    """

    opener: str
    identity: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]
    strategy: str
    first_points: tuple[Mapping[str, Value], ...] = ()
    provenance: str = "estimated"
    warnings: tuple[str, ...] = field(default=())


def identity_of(
    request: SearchRequest, parameters: Sequence[Parameter], goals: Sequence[Goal], limits: Sequence[Limit]
) -> dict[str, Any]:
    """What makes a study itself: model, target, data, space, goals and limits.

    Raises:
        InputError: the model cannot be read.
    """
    compiled = request.compile
    return {
        "schema": _IDENTITY,
        "target": compiled.target.name,
        "model": None if str(compiled.model) == request.architecture else _model(compiled),
        "architecture": request.architecture,
        "data": {
            name: None if data is None else data.digest
            for name, data in (
                ("evaluation", compiled.evaluation),
                ("training", compiled.training),
                ("calibration", compiled.calibration),
            )
        },
        "metric": compiled.metric.name,
        "epochs": request.epochs,
        "space": space.digest(parameters),
        "goals": [goal.metric for goal in goals],
        "limits": {f"{limit.metric}": limit.most for limit in limits},
        "devices": sorted(request.devices),
    }


def _model(compiled: CompileRequest) -> str:
    model = compiled.model
    if isinstance(model, Factory):
        return model.function if model.weights is None else f"{model.function} {sha256_file(model.weights)}"
    return sha256_path(model)


def planned(request: SearchRequest, on_event: OnEvent = ignore) -> Planned:
    """Work out a search: what is cheap to refuse first, then the space that nobody declared.

    Args:
        request: what to search.
        on_event: listener.

    Raises:
        UnsupportedError: the engine is not known, is not installed, or does not know the strategy.
        ConfigurationError: the space is none, or nothing measures a goal or a limit.
        EdgekitError: model, data and target do not go together.
    """
    from edgekit.flows.searching.layer_names import check_layers
    from edgekit.flows.searching.measurable import check_metrics
    from edgekit.flows.searching.recipe_defaults import default_space, goals_for, limits_for
    from edgekit.flows.searching.recipe_space import check_names

    strategy = _strategy(request)
    goals = request.goals or goals_for(request)
    limits = (*request.limits, *limits_for(request))
    warnings = check_metrics(request, goals, limits)
    parameters: tuple[Parameter, ...] = request.parameters
    first_points: tuple[Mapping[str, Value], ...] = ()
    if parameters and request.architecture is not None:
        raise ConfigurationError(
            f"{request.architecture} declares its own parameters, and the search has {parameters[0].name!r} beside it",
            hint="leave out one of them: the nets of a function are compiled by the target's own recipe",
        )
    if not parameters and request.architecture is None:
        parameters, first_points = default_space(request, on_event)
    space.check_space(parameters)
    check_names(parameters, request.compile.recipe)
    check_layers(request, request.parameters, on_event)
    return Planned(
        opener=_RECIPES if request.architecture is None else _ARCHITECTURES,
        identity=identity_of(request, parameters, goals, limits),
        parameters=parameters,
        goals=goals,
        limits=limits,
        strategy=strategy,
        first_points=first_points,
        provenance=_provenance(request),
        warnings=warnings,
    )


def _strategy(request: SearchRequest) -> str:
    engine: Engine = ENGINES.load(request.engine)
    strategy = request.strategy or engine.strategies[0]
    if strategy not in engine.strategies:
        raise UnsupportedError(
            f"the engine {request.engine} has no strategy {strategy!r}",
            hint=did_you_mean(strategy, engine.strategies) or f"known: {', '.join(engine.strategies)}",
        )
    return strategy


def _provenance(request: SearchRequest) -> str:
    """What devices, if any, are."""
    if request.compile.target.board is not None:
        return Provenance.EMULATED
    if not request.devices:
        return Provenance.ESTIMATED
    emulated = any(inventory().get(name).is_emulated for name in request.devices)
    return Provenance.EMULATED if emulated else Provenance.MEASURED
