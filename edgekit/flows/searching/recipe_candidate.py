"""Tries recipes on the given model: compiled, weighed, judged, then measured; the cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.core.errors import (
    ConfigurationError,
    DeadlineError,
    InputError,
    InterruptedByUserError,
    MeasurementError,
    UnsupportedError,
    UsageError,
)
from edgekit.core.recipe import Recipe, Step
from edgekit.core.registry import PASSES
from edgekit.core.search.trial import Outcome, State
from edgekit.flows.chain import check_chain, chosen_recipe, float_pass, needs_data
from edgekit.flows.formats import RUNNERS
from edgekit.flows.prepare import Preparation, optimized_for, with_float_layers
from edgekit.flows.searching.device_stage import Point, device_stage, hopeless
from edgekit.flows.searching.findings import Findings
from edgekit.flows.searching.recipe_defaults import goals_for, limits_for
from edgekit.flows.searching.recipe_space import NONE, QUANTIZE, check_names, recipe_of
from edgekit.flows.searching.stages import accuracy_stage, count_stage, static_stage
from edgekit.flows.trials import settled

if TYPE_CHECKING:
    from edgekit.core.search.goals import Goal, Limit
    from edgekit.core.search.space import Parameter, Value
    from edgekit.engines._base import Asked, Study
    from edgekit.flows.searching.request import Candidate, SearchRequest
    from edgekit.flows.searching.tools import Tools


@contextmanager
def open_recipe_candidate(request: SearchRequest, tools: Tools) -> Iterator[Candidate]:
    """What tries the recipes of a space.

    Args:
        request: with its parameters filled in and evaluation data.
        tools: of the worker.

    Raises:
        UsageError: there is no evaluation data.
        ConfigurationError: the space names a pass or a parameter that is not there.
        EdgekitError: model, data and target do not go together.
    """
    if request.compile.evaluation is None:
        raise UsageError("a search compares accuracies", hint="give labelled samples with --eval-data")
    check_names(request.parameters, request.compile.recipe)
    asked = replace(request.compile, output=None, strict=False)
    given = asked.recipe  # one that calibrates is not prepared as it stands: the space may vary the step that does
    made = Preparation(replace(asked, recipe=None if given is None or needs_data(given) else given), tools.workspace)
    if made.reference is None:
        raise InputError(
            f"{request.compile.model} is compressed already, so there is nothing to search",
            hint="give the float model that it was made of",
        )
    yield _RecipeCandidate(
        request=request, tools=tools, made=made, goals=request.goals or goals_for(request),
        limits=(*request.limits, *limits_for(request)),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _RecipeCandidate:
    """Tries recipes; see `Candidate`. The model is read once, and what was compiled before comes from the cache."""

    request: SearchRequest
    tools: Tools
    made: Preparation
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]

    def try_(self, asked: Asked, study: Study, *, stopped: Callable[[], bool]) -> Outcome:
        """Try one recipe."""
        found = Findings(limits=self.limits)
        try:
            return self._tried(asked.params, found, study, stopped)
        except (ConfigurationError, InputError, UnsupportedError) as error:
            return found.infeasible() or found.outcome(State.REFUSED, error.message)
        except MeasurementError as error:
            return found.outcome(State.FAILED, error.message)
        except DeadlineError as late:
            if found.stage == "device":
                raise
            return found.outcome(State.FAILED, late.message)

    def _tried(self, point: Point, found: Findings, study: Study, stopped: Callable[[], bool]) -> Outcome:
        recipe = recipe_for(point, self.request, self.made)
        with found.at("static"):
            tried = static_stage(self.made, settled(recipe), found)
        if (outcome := found.infeasible()) is not None:
            return outcome
        _stop_if(stopped)
        with found.at("accuracy"):
            accuracy_stage(tried, found, reference=self.made.reference)
        if (outcome := found.infeasible()) is not None:
            return outcome
        _stop_if(stopped)
        with found.at("device"):
            measures_all = self.request.strategy == "grid"  # who lists every point wants every figure
            if not measures_all and (outcome := hopeless(found, point, study.trials(), self.goals)) is not None:
                return outcome
            count_stage(tried, found, self.tools.workspace, stopped)
            if self.request.devices and self.request.compile.target.board is None:
                device_stage(tried, found, self.tools, stopped)
        return found.infeasible() or found.outcome(State.COMPLETE)


def recipe_for(params: Mapping[str, Value], request: SearchRequest, made: Preparation) -> Recipe:
    """The recipe of a point, checked as a chain, with the conversions that it leaves unsaid.

    Raises:
        UnsupportedError, ConfigurationError: it does not suit the model or the target.
        InputError: it trains, and there is no training data.
    """
    parameters: tuple[Parameter, ...] = request.parameters
    recipe = recipe_of(params, parameters, request.compile.recipe)
    if params.get(QUANTIZE) == NONE:
        recipe = _in_float(recipe, made.source.format)
    recipe = chosen_recipe(recipe, request.compile.target, made.source.format, compressed=False)
    if request.compile.keep_float:
        recipe = with_float_layers(recipe, request.compile.keep_float)
    if request.compile.optimize is not None:
        recipe = optimized_for(recipe, request.compile.optimize)
    check_chain(recipe, request.compile.target, made.source.format)
    if made.training is None and any(PASSES.load(step.pass_name).needs_training for step in recipe.steps):
        raise InputError("the point trains, so it needs training data", hint="give it with --train-data")
    return recipe


def _in_float(recipe: Recipe, source_format: str) -> Recipe:
    """The recipe of a point that quantizes nothing, with the conversion that makes a float artifact of its result."""
    last = PASSES.load(recipe.steps[-1].pass_name).emits if recipe.steps else source_format
    plain = None if last in RUNNERS else float_pass(last)
    return recipe if plain is None else replace(recipe, steps=(*recipe.steps, Step(pass_name=plain.name)))


def _stop_if(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise InterruptedByUserError("the search stops")
