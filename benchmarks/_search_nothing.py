"""A candidate that costs nothing, so that a search of it takes what the search itself takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Integer
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import Asked, Study
from edgekit.flows.searching.budget import Budget
from edgekit.flows.searching.planned import Planned
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.run import SearchRun, search
from edgekit.flows.searching.tools import Tools

_WIDTH = Integer(name="width", low=1, high=1_000_000)


class Nothing:
    """Tries a point by looking at it; see `Candidate`."""

    def try_(self, asked: Asked, _study: Study, *, stopped: Callable[[], bool]) -> Outcome:
        """The width is the size, and the accuracy too."""
        del stopped
        width = float(int(asked.params["width"]))
        return Outcome(state=State.COMPLETE, values={"accuracy": width / _WIDTH.high, "size_bytes": width})


@contextmanager
def open_nothing(_request: SearchRequest, _tools: Tools) -> Iterator[Nothing]:
    """An opener, as a `Planned` names it."""
    yield Nothing()


def search_nothing(request: SearchRequest) -> SearchRun:
    """Search a million points at random."""
    plan = Planned(
        opener=f"{__name__}:open_nothing",
        identity={"schema": 1},
        parameters=(_WIDTH,),
        goals=(Goal(metric="accuracy"), Goal(metric="size_bytes")),
        limits=(),
        strategy="random",
    )
    return search(request, plan, Budget(trials=request.trials, seconds=request.budget_s))
