"""Syne Tune: multi-objective regularized evolution, and random search, over declared parameters."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import count, repeat
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.core.search.space import Choice, Integer, Parameter, Real, Value, points, values_of
from edgekit.core.search.trial import State
from edgekit.engines._base import Engine, Study, StudyPlan
from edgekit.engines._open import open_study
from edgekit.engines._points import Proposal, UniquePoints

_SAMPLE = 10
"""Of so many members of the population the best is the parent, as Syne Tune has it."""


class SyneTuneStudy(UniquePoints):
    """A study whose points a searcher of Syne Tune proposes.

    The searcher is made anew for each trial and told what came of those before, so nothing is lost with a process.
    What is beyond a limit is no member of the population.
    """

    def _proposals(self, number: int) -> Iterator[Proposal]:
        if not any(_varies(parameter) for parameter in self._plan.parameters):
            yield from repeat(Proposal(point=next(iter(points(self._plan.parameters)))))  # evolution wants two points
        for draw in count():
            yield Proposal(point=self._plain(self._searcher(self._seed_of(number, draw)).suggest()))

    def _searcher(self, seed: int) -> Any:
        import numpy as np
        from syne_tune.optimizer.schedulers.multiobjective import multi_objective_regularized_evolution as evolution

        domains = {parameter.name: _domain(parameter) for parameter in self._plan.parameters}
        known = [trial for trial in self.trials() if trial.state is State.COMPLETE]
        population = max(_SAMPLE, self._plan.startup_trials)
        draws = np.random.RandomState(seed)
        searcher = evolution.MultiObjectiveRegularizedEvolution(
            domains,
            # Syne Tune 0.16 draws its first population from NumPy's global state, past its own seed.
            points_to_evaluate=[{name: each.sample(random_state=draws) for name, each in domains.items()}]
            if self._plan.strategy == "random" or len(known) < population
            else [],
            population_size=population,
            sample_size=_SAMPLE,
            random_seed=seed,
        )
        if self._plan.strategy == "evolution":
            for trial in known:
                assert trial.outcome is not None
                costs = [goal.cost(trial.outcome.values[goal.metric]) for goal in self._plan.goals]
                searcher.on_trial_complete(trial.number, self._coded(trial.params), costs)
        return searcher

    def _coded(self, params: Mapping[str, Value]) -> dict[str, Any]:
        """A point in Syne Tune's terms, see `_domain`."""
        return {
            parameter.name: params[parameter.name]
            if (values := _listed(parameter)) is None
            else values.index(params[parameter.name])
            for parameter in self._plan.parameters
        }

    def _plain(self, suggested: Mapping[str, Any]) -> dict[str, Value]:
        """The point in Python's own types, as declared: NumPy's do not go through JSON."""
        found: dict[str, Value] = {}
        for parameter in self._plan.parameters:
            value = suggested[parameter.name]
            if (values := _listed(parameter)) is not None:
                found[parameter.name] = values[int(value)]
            elif isinstance(parameter, Integer):
                found[parameter.name] = int(value)
            elif isinstance(parameter, Real):
                found[parameter.name] = min(max(float(value), parameter.low), parameter.high)
        return found


class SyneTuneEngine(Engine):
    """Syne Tune."""

    strategies = ("evolution", "random")

    def open(self, plan: StudyPlan, *, create: bool) -> Study:
        """See `Engine`."""
        if plan.strategy not in self.strategies:
            raise UnsupportedError(
                f"Syne Tune knows no strategy {plan.strategy!r} here", hint=f"known: {', '.join(self.strategies)}"
            )
        if not plan.parameters or any(parameter.when for parameter in plan.parameters):
            raise UnsupportedError(
                "Syne Tune takes declared parameters that all count in every point",
                hint="--engine optuna takes conditions, and functions that declare parameters as they run",
            )
        try:
            import syne_tune  # noqa: F401 -- whether it is there
        except ImportError as missing:
            raise UnsupportedError(
                "Syne Tune is not installed", hint="pip install 'edgekit-deploy[syne-tune]'"
            ) from missing
        logging.getLogger("syne_tune").setLevel(logging.ERROR)
        return SyneTuneStudy(plan, open_study(plan, create=create))


ENGINE = SyneTuneEngine()


def _listed(parameter: Parameter) -> tuple[Value, ...] | None:
    """The values of a parameter that goes by its place among them: they may be of several types, or have steps."""
    if isinstance(parameter, Choice) or (isinstance(parameter, Integer) and parameter.step > 1):
        return values_of(parameter)
    return None


def _varies(parameter: Parameter) -> bool:
    values = values_of(parameter)
    return values is None or len(values) > 1


def _domain(parameter: Parameter) -> Any:
    """A parameter in Syne Tune's terms."""
    from syne_tune import config_space

    if (values := _listed(parameter)) is not None:
        return config_space.randint(0, len(values) - 1)
    if isinstance(parameter, Integer):
        draw = config_space.lograndint if parameter.log else config_space.randint
        return draw(parameter.low, parameter.high)
    assert isinstance(parameter, Real)
    return (config_space.loguniform if parameter.log else config_space.uniform)(parameter.low, parameter.high)
