"""No point of declared parameters is tried twice, by however many workers, and a finite space has an end."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from edgekit.core.search.space import points, size
from edgekit.engines._distributions import distribution
from edgekit.engines._draws import Drawing
from edgekit.engines._study import Begun, Point, StoredStudy, key

_PROPOSALS = 16
"""Points that an engine proposes for a trial before one of those that are left is taken."""
_RANDOM = 1000
"""Points that are drawn by chance where those that are left cannot be listed."""
_LARGEST_LISTED = 100_000
"""Points of a space that are listed to find those that are left."""


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

    Engines propose without writing, so a point that was tried already costs no trial. A new one is written with its
    trial, in one transaction that also gives the trial its place: of two workers who take the same one at the same
    moment the later one's is no trial, and he takes another.
    """

    @abstractmethod
    def _proposals(self, number: int) -> Iterator[Proposal]:
        """Points of the engine's choice for trial `number`, one after the other; nothing is written."""

    def _new(self, worker: str) -> Begun | None:
        if not self._plan.parameters:
            return self._begin(worker)  # a user's function declares them as it runs
        while True:
            tried = self._tried()
            if self._size is not None and len(tried) >= self._size:
                return None
            number = len(tried)
            proposals = chain(islice(self._proposals(number), _PROPOSALS), self._rest(number))
            new = next((one for one in proposals if key(one.point) not in tried), None)
            if new is None:
                return None
            if (begun := self._begin_at(worker, new)) is not None:
                return begun  # else another worker was faster: this trial has another number

    def _rest(self, number: int) -> Iterator[Proposal]:
        """Points that are left, by chance; where they cannot be listed, so many of all that one of them is new."""
        if self._size is not None:
            left = self._left()
            random.Random(self._seed_of(number)).shuffle(left)  # noqa: S311 -- no secret
            yield from (Proposal(point=point) for point in left)
            return
        sampler = self._optuna.samplers.RandomSampler(seed=self._seed_of(number, _PROPOSALS))
        drawing = Drawing(self._optuna, self._study, self._plan.parameters)
        for _ in range(_RANDOM):
            yield Proposal(point=drawing.point(sampler)[0])

    def _begin_at(self, worker: str, proposal: Proposal) -> Begun | None:
        """A running trial that has its point from its first moment; None where another worker was faster."""
        known = {parameter.name: parameter for parameter in self._plan.parameters}
        distributions = {name: distribution(self._optuna, known[name]) for name in proposal.point}
        return self._begin(
            worker, params=dict(proposal.point), distributions=distributions, system_attrs=dict(proposal.attrs)
        )

    @property
    def _size(self) -> int | None:
        """How many points there are; None where they are too many to be listed."""
        if self._counted is None:
            self._counted = (size(self._plan.parameters, most=_LARGEST_LISTED),)
        return self._counted[0]

    _counted: tuple[int | None] | None = None

    def _left(self) -> list[Point]:
        """Points of a space that can be listed which nobody has begun, in their order."""
        tried = self._tried()
        return [point for point in points(self._plan.parameters) if key(point) not in tried]

    def _seed_of(self, number: int, draw: int = 0) -> int:
        """For the draws of a trial: from the study's seed and the trial's number, so that no two trials share one."""
        return random.Random(f"{self._plan.seed} {number} {draw}").randrange(2**31)  # noqa: S311 -- no secret
