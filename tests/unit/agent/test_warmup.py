"""When calls count as steady."""

from __future__ import annotations

import random

import pytest

from device_agents.linux.warmup import MIN_NS, Steadiness

MS = 1_000_000


def calls_until_steady(times_ns: list[int], least: int = 10) -> int | None:
    steadiness = Steadiness()
    for place, time_ns in enumerate(times_ns, 1):
        steadiness.add(time_ns)
        if steadiness.reached(least):
            return place
    return None


@pytest.mark.parametrize(
    ("call_ns", "least", "calls"), [(100 * MS, 10, 40), (MS, 10, MIN_NS // MS), (100 * MS, 60, 60)],
    ids=["40 calls", "a second", "the calls asked for"],
)  # fmt: skip
def test_even_calls_are_steady_after(call_ns: int, least: int, calls: int) -> None:
    assert calls_until_steady([call_ns] * 2000, least) == calls


def test_calls_that_get_faster_are_not_steady_until_they_stay() -> None:
    falling = [round(100 * MS * 0.97**place) for place in range(60)]

    found = calls_until_steady(falling + [falling[-1]] * 3000)

    assert found is not None
    assert found > 60 + 40


def test_slow_start_does_not_weigh_on_the_slow_average_for_long() -> None:
    """Without the correction of its start the average would take 780 calls to forget the first one."""
    found = calls_until_steady([300 * MS] + [100 * MS] * 2000)

    assert found is not None
    assert found < 150


def test_calls_that_jump_are_never_steady() -> None:
    rng = random.Random(0)

    assert calls_until_steady([rng.choice((50, 100, 200)) * MS for _ in range(3000)]) is None


def test_outlier_starts_the_count_anew() -> None:
    times = [100 * MS] * 39 + [1000 * MS] + [100 * MS] * 3000

    found = calls_until_steady(times)

    assert found is not None
    assert found > 80
