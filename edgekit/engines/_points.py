"""No point of declared parameters is tried twice, by however many workers, and a finite space has an end."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgekit.core.search.space import Value, points, size
from edgekit.engines._distributions import distribution
from edgekit.engines._study import REPEATED, StoredStudy

_REDRAWS = 16
"""How often a point that was tried already is drawn anew before one of those that are left is taken."""
_LARGEST_LISTED = 100_000
"""Points of a space that are listed to find those that are left."""

Point = Mapping[str, Value]


class UniquePoints(StoredStudy):
    """A study that tries each point once.

    A drawn point stands in the storage before it is compared with the others, so that of two workers who drew the same
    one at least one sees it and leaves it; both may, and then it is still left. A point that is taken from those left
    is written with its trial, in one transaction that also gives the number: there the lower number keeps it.
    """

    @abstractmethod
    def _draw(self, worker: str) -> Any:
        """A running Optuna trial with a point of the engine's choice."""

    def _new(self, worker: str) -> Any | None:
        for _ in range(_REDRAWS):
            trial = self._draw(worker)
            if not trial.params or key(trial.params) not in self._tried(but=trial.number):
                return trial
            self._drop(trial)
            if self._is_small and not self._left():
                return None
        if not self._is_small:
            return self._draw(worker)  # as good as exhausted, but nobody can list it: repeat
        draws = random.Random(self._seed_of(len(self._frozen())))  # noqa: S311 -- no secret
        return self._take_left(worker, draws.choice)

    def _take_left(self, worker: str, choose: Callable[[Sequence[Point]], Point]) -> Any | None:
        """Begin one of the points that are left; None where there is none."""
        while left := self._left():
            point = choose(left)
            trial = self._begin_at(worker, point)
            if key(point) not in self._tried(before=trial.number):
                return trial
            self._drop(trial)
        return None

    def _begin_at(self, worker: str, point: Point) -> Any:
        """A running trial that has its point from its first moment."""
        known = {parameter.name: parameter for parameter in self._plan.parameters}
        distributions = {name: distribution(self._optuna, known[name]) for name in point}
        return self._begin(worker, params=dict(point), distributions=distributions)

    def _at(self, trial: Any, point: Point) -> Any:
        """The trial, with a point for the parameters that it had none for."""
        known = {parameter.name: parameter for parameter in self._plan.parameters}
        for name, value in point.items():
            drawn_from = distribution(self._optuna, known[name])
            self._storage.set_trial_param(trial._trial_id, name, drawn_from.to_internal_repr(value), drawn_from)
        return self._optuna.trial.Trial(self._study, trial._trial_id)

    def _drop(self, trial: Any) -> None:
        """Leave out a repeated point; it has no outcome and is no trial of ours."""
        self._storage.set_trial_user_attr(trial._trial_id, REPEATED, value=True)
        self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)

    @property
    def _is_small(self) -> bool:
        if self._counted is None:
            listed = size(self._plan.parameters, most=_LARGEST_LISTED)
            self._counted = bool(self._plan.parameters) and listed is not None
        return self._counted

    _counted: bool | None = None

    def _tried(self, *, but: int = -1, before: int | None = None) -> set[str]:
        """Keys of the points that others began or wait for; of earlier trials alone, where `before` is a number."""
        return {
            key(dict(attempt.system_attrs.get("fixed_params", {})) | dict(attempt.params))
            for number, attempt in self._attempts().items()
            if number != but and (before is None or number < before)
        }

    def _left(self) -> list[Point]:
        """Points of a small space that nobody has begun, in their order."""
        if not self._is_small:
            return []
        tried = self._tried()
        return [point for point in points(self._plan.parameters) if key(point) not in tried]

    def _seed_of(self, number: int) -> int:
        """For the draw of a trial: from the study's seed and the trial's number, so that no two trials share one."""
        return random.Random(f"{self._plan.seed} {number}").randrange(2**31)  # noqa: S311 -- no secret


def key(point: Point) -> str:
    """The same text for the same point; 1, 1.0 and True differ."""
    return repr(sorted(point.items()))
