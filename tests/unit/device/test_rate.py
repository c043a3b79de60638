"""The limit on bytes a second: never more than was allowed, and no longer than needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core.errors import UsageError
from edgekit.device.rate import RateLimit, check_rate


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def limit(time: Time, bytes_per_s: int = 100_000) -> RateLimit:
    return RateLimit(bytes_per_s, clock=lambda: time.now, sleep=time.sleep)


@given(sizes=st.lists(st.integers(1, 25_000), min_size=1, max_size=200))
def test_no_more_goes_than_the_limit_and_one_burst_and_little_less(sizes: list[int]) -> None:
    time = Time()
    rate = limit(time)

    for size in sizes:
        rate.take(size)

    seconds = time.now - 100.0
    assert sum(sizes) <= seconds * 100_000 + rate.burst_bytes + 1
    assert seconds <= sum(sizes) / 100_000


def test_pause_earns_one_burst_and_no_more() -> None:
    time = Time()
    rate = limit(time)
    rate.take(rate.burst_bytes)
    time.now += 3600

    rate.take(rate.burst_bytes)
    before = time.now
    rate.take(1000)

    assert time.now - before == pytest.approx(0.01)


@pytest.mark.parametrize("bytes_per_s", [0, 1, 8191])
def test_limit_at_which_a_link_counts_as_dead_is_refused(bytes_per_s: int) -> None:
    with pytest.raises(UsageError, match="counts as dead"):
        check_rate(bytes_per_s)
