"""No point of declared parameters is tried twice, by however many workers, and a finite space has an end."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from edgekit.core.search.space import Value, points, size
from edgekit.engines._distributions import distribution
from edgekit.engines._study import REPEATED, StoredStudy

_REDRAWS = 16
"""Points that an engine proposes for a trial before one of those that are left is taken."""

_LARGEST_LISTED = 100_000
"""Points of a space that are listed to find those that are left."""

Point = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A point that an engine would try next.

    Attributes:
        point: values of the parameters that count.
        attrs: what the engine wants to find again beside the trial.
    """

    point: Point
    attrs: Mapping[str, Any] = field(default_factory=dict)


class UniquePoints(StoredStudy):
    """A study that tries each point once.

    A trial gets its number first, which seeds its draws: workers that ask at the same moment draw different points.
    Engines propose without writing, so a point that was tried already costs no trial and numbers have no gaps. What was
    written is compared with the others once more: of two workers who took the same point at least one sees it and
    leaves it, with a gap; both may, and then it is still left.
    """

    @abstractmethod
    def _proposals(self, number: int) -> Iterator[Proposal]:
        """Points of the engine's choice for a trial, one after the other, without an end; nothing is written."""

    def _new(self, worker: str) -> Any | None:
        while True:
            if self._is_exhausted:
                return None
            trial = self._begin(worker)
            if not self._plan.parameters:
                return trial  # a user's function declares them as it runs
            proposal = self._untried(trial.number)
            if proposal is None:
                self._drop(trial)
                return None
            trial = self._at(trial, proposal)
            if key(proposal.point) not in self._tried(but=trial.number) or not self._is_small:
                return trial
            self._drop(trial)

    @property
    def _is_exhausted(self) -> bool:
        return self._is_small and len(self._tried()) >= self._size and not self._left()

    def _untried(self, number: int) -> Proposal | None:
        """The engine's first choice that nobody has begun, else one of those that are left; None if none is."""
        tried, proposals = self._tried(but=number), self._proposals(number)
        for proposal in islice(proposals, _REDRAWS):
            if key(proposal.point) not in tried:
                return proposal
        if not self._is_small:
            return next(proposals)  # as good as exhausted, but nobody can list it: repeat
        draws = random.Random(self._seed_of(number))  # noqa: S311 -- no secret
        left = self._left()
        return Proposal(point=draws.choice(left)) if left else None

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

    def _at(self, trial: Any, proposal: Proposal) -> Any:
        """The trial, with a point and what the engine wants to find beside it."""
        known = {parameter.name: parameter for parameter in self._plan.parameters}
        for name, value in proposal.attrs.items():
            self._storage.set_trial_system_attr(trial._trial_id, name, value)
        for name, value in proposal.point.items():
            drawn_from = distribution(self._optuna, known[name])
            self._storage.set_trial_param(trial._trial_id, name, drawn_from.to_internal_repr(value), drawn_from)
        return self._optuna.trial.Trial(self._study, trial._trial_id)

    def _drop(self, trial: Any) -> None:
        """Leave out a repeated point; it has no outcome and is no trial of ours."""
        self._storage.set_trial_user_attr(trial._trial_id, REPEATED, value=True)
        self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)

    @property
    def _is_small(self) -> bool:
        return self._size > 0

    @cached_property
    def _size(self) -> int:
        """Points of a space that can be listed; 0 for others."""
        return (size(self._plan.parameters, most=_LARGEST_LISTED) or 0) if self._plan.parameters else 0

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

    def _seed_of(self, number: int, draw: int = 0) -> int:
        """For the draws of a trial: from the study's seed and the trial's number, so that no two trials share one."""
        return random.Random(f"{self._plan.seed} {number} {draw}").randrange(2**31)  # noqa: S311 -- no secret


def key(point: Point) -> str:
    """The same text for the same point; 1, 1.0 and True differ."""
    return repr(sorted(point.items()))
