"""When a model has warmed up: two moving averages of its call times, one quick and one slow, agree for a while."""

from __future__ import annotations

_QUICK, _SLOW = 0.1, 0.005
_TOLERANCE = 0.04
_CALLS_ON_END = 40
"""Weights, tolerance and calls as in AndroidX's benchmark library (WarmupManager)."""

MIN_NS = 1_000_000_000


class Steadiness:
    """Takes call times one by one.

    The averages are corrected for their start (D. Kingma and J. Ba, "Adam", 2015, section 3): without that a slow first
    call would weigh on the slow average for hundreds of calls.

    Attributes:
        calls: that were taken.
        total_ns: their sum.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.total_ns = 0
        self._quick = _Average(_QUICK)
        self._slow = _Average(_SLOW)
        self._similar = 0

    def add(self, call_ns: int) -> None:
        """Take the next call."""
        self.calls += 1
        self.total_ns += call_ns
        ratio = self._quick.add(call_ns) / max(1.0, self._slow.add(call_ns))
        self._similar = self._similar + 1 if abs(ratio - 1) <= _TOLERANCE else 0

    def reached(self, least_calls: int) -> bool:
        """Whether the last calls were alike, after at least so many calls and a second."""
        return self._similar >= _CALLS_ON_END and self.calls >= least_calls and self.total_ns >= MIN_NS


class _Average:
    """An exponential moving average without the bias of its start."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._sum = 0.0
        self._share = 0.0

    def add(self, value: float) -> float:
        self._sum += self._weight * (value - self._sum)
        self._share += self._weight * (1 - self._share)
        return self._sum / self._share
