"""How many times of one operator become one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def middle_mean(times: Sequence[int]) -> int:
    """Mean of the middle half: finer than the clock's ticks, and without calls that were interrupted."""
    ranked = sorted(times)
    cut = len(ranked) // 4
    middle = ranked[cut : len(ranked) - cut]
    return round(sum(middle) / len(middle))
