"""No point of declared parameters is tried twice, by however many workers, and a finite space has an end."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

    Engines propose without writing, so a point that was tried already costs no trial and numbers have no gaps. A point
    is written with its trial, in one transaction that also gives the number: of two workers who took the same one at
    the same moment, the lower number keeps it, and the other one leaves a gap.
    """

    @abstractmethod
    def _proposals(self) -> Iterator[Proposal]:
        """Points of the engine's choice, one after the other, without an end; nothing is written."""

    def _new(self, worker: str) -> Any | None:
        if not self._plan.parameters:
            return self._begin(worker)  # a user's function declares them as it runs
        while (proposal := self._untried()) is not None:
            trial = self._begin_at(worker, proposal)
            if key(proposal.point) not in self._tried(before=trial.number):
                return trial
            self._drop(trial)
        if not self._is_small:
            return self._begin_at(worker, next(self._proposals()))  # as good as exhausted, but nobody can list it
        draws = random.Random(self._seed_of(len(self._frozen())))  # noqa: S311 -- no secret
        return self._take_left(worker, draws.choice)

    def _untried(self) -> Proposal | None:
        """The engine's first choice that nobody has begun; None if it has none for long, or nothing is left."""
        tried = self._tried()
        for proposal in islice(self._proposals(), _REDRAWS):
            if key(proposal.point) not in tried:
                return proposal
            if self._is_small and not self._left():
                return None
        return None

    def _take_left(self, worker: str, choose: Callable[[Sequence[Point]], Point]) -> Any | None:
        """Begin one of the points that are left; None where there is none."""
        while left := self._left():
            point = choose(left)
            trial = self._begin_at(worker, Proposal(point=point))
            if key(point) not in self._tried(before=trial.number):
                return trial
            self._drop(trial)
        return None

    def _begin_at(self, worker: str, proposal: Proposal) -> Any:
        """A running trial that has its point from its first moment."""
        known = {parameter.name: parameter for parameter in self._plan.parameters}
        distributions = {name: distribution(self._optuna, known[name]) for name in proposal.point}
        return self._begin(
            worker, params=dict(proposal.point), distributions=distributions, system_attrs=dict(proposal.attrs)
        )

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

    def _tried(self, *, before: int | None = None) -> set[str]:
        """Keys of the points that were begun or wait; of earlier trials alone, where `before` is a number."""
        return {
            key(dict(attempt.system_attrs.get("fixed_params", {})) | dict(attempt.params))
            for number, attempt in self._attempts().items()
            if before is None or number < before
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
