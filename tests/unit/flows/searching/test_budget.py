"""What a call of a search may spend."""

from __future__ import annotations

import pytest

from edgekit.core.errors import UsageError
from edgekit.flows.searching.budget import Budget


def test_trials_and_time_each_end_it() -> None:
    budget = Budget(trials=3, seconds=10.0)

    assert [budget.trials_are_spent(begun) for begun in (2, 3, 4)] == [False, True, True]
    assert [budget.time_is_over(elapsed) for elapsed in (9.9, 10.0)] == [False, True]


def test_what_is_not_limited_never_ends() -> None:
    assert not Budget(seconds=1.0).trials_are_spent(10**9)
    assert not Budget(trials=1).time_is_over(1e12)


@pytest.mark.parametrize(("trials", "seconds"), [(None, None), (0, None), (None, 0.0), (None, float("nan")), (5, -1.0)])
def test_budget_that_is_none_is_refused(trials: int | None, seconds: float | None) -> None:
    with pytest.raises(UsageError) as caught:
        Budget(trials=trials, seconds=seconds)

    assert "--" in str(caught.value.hint)
