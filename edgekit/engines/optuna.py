"""Optuna 5: TPE, NSGA-II, NSGA-III, random and grid, for several goals under constraints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from edgekit.core.errors import UnsupportedError, UsageError
from edgekit.core.search.space import size
from edgekit.engines._base import Engine, Study, StudyPlan
from edgekit.engines._draws import Drawing
from edgekit.engines._open import open_study
from edgekit.engines._points import Proposal, UniquePoints


class OptunaStudy(UniquePoints):
    """A study whose points Optuna's samplers propose.

    Each trial gets a sampler of its own, seeded by the study's seed and the trial's number. So the sequence on one
    worker is the same whether a study ran in one go or was resumed, and no sampler has a state that could be lost.
    """

    def _proposals(self, number: int) -> Iterator[Proposal]:
        if self._plan.strategy == "grid":
            while left := self._left():
                yield Proposal(point=left[0])
            return
        drawing = Drawing(self._optuna, self._study, self._plan.parameters)
        for place in count():
            point, attrs = drawing.point(self._sampler(number, place))
            yield Proposal(point=point, attrs=attrs)

    def _prepare(self, number: int) -> None:
        self._study.sampler = self._sampler(number)

    def _sampler(self, number: int, draw: int = 0) -> Any:
        plan, samplers, seed = self._plan, self._optuna.samplers, self._seed_of(number, draw)
        if plan.strategy == "random":
            return samplers.RandomSampler(seed=seed)
        if plan.strategy == "nsga2":
            return samplers.NSGAIISampler(seed=seed, population_size=max(10, 2 * plan.startup_trials))
        if plan.strategy == "nsga3":
            return samplers.NSGAIIISampler(seed=seed, population_size=max(10, 2 * plan.startup_trials))
        return samplers.TPESampler(
            seed=seed,
            n_startup_trials=plan.startup_trials,
            multivariate=True,
            group=True,
            constant_liar=True,
        )


class OptunaEngine(Engine):
    """Optuna."""

    strategies = ("tpe", "nsga2", "nsga3", "random", "grid")

    def open(self, plan: StudyPlan, *, create: bool) -> Study:
        """See `Engine`."""
        if plan.strategy not in self.strategies:
            raise UnsupportedError(
                f"Optuna knows no strategy {plan.strategy!r} here", hint=f"known: {', '.join(self.strategies)}"
            )
        if plan.strategy == "grid" and (not plan.parameters or size(plan.parameters) is None):
            raise UsageError(
                "a grid needs a space of declared parameters without real numbers",
                hint="take --strategy random, or give each parameter its values",
            )
        return OptunaStudy(plan, open_study(plan, create=create))


ENGINE = OptunaEngine()
