"""Where the history of a figure jumps: step detection over runs that were made days or months apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop
from itertools import pairwise
from statistics import median

from edgekit.core.regression import LEAST_MARGIN

LEAST_SEGMENT = 3
"""Runs that a level needs before it is believed (edgekit-bench/1, D12)."""

_MEAN_DEVIATION = 0.7979  # mean absolute deviation of a normal distribution, in standard deviations
_DIFFERENCE = 0.6745 * math.sqrt(2)  # median absolute difference of two of its values, in the same


@dataclass(frozen=True, kw_only=True)
class Step:
    """A jump from one level to the next.

    Attributes:
        at: position of the first run at the new level.
        ratio: median of the new level over the median of the old one.
    """

    at: int
    ratio: float


def find_steps(values: Sequence[float], *, margin: float = LEAST_MARGIN) -> tuple[Step, ...]:
    """The steps of a series whose levels differ by more than a margin.

    The logarithms are cut so that the sum of absolute deviations from the segments' medians, plus a price for each cut,
    is least: the L1 Potts functional (M. Storath, A. Weinmann and M. Unser, Inverse Problems 30:125003, 2014), solved
    by optimal partitioning (B. Jackson et al., IEEE Signal Processing Letters 12:105-108, 2005). The price of a cut is
    that of Schwarz's criterion for two more parameters, with the scale of the noise from successive differences, which
    a step hardly moves; a third of the margin stands in where the values scatter less. Then the smallest step is taken
    out until none is within the margin. An L1 fit does not follow single runs that went wrong.

    A step is an alarm, not a verdict: the runs are not of one session, so that the machine may have changed. A fresh
    comparison of the two artifacts confirms it.

    Args:
        values: one a run in the order of time, of one machine and environment; positive.
        margin: the least step.

    Raises:
        ValueError: a value is not a positive number.
    """
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise ValueError("a history consists of positive numbers")
    if len(values) == 0:
        return ()
    logs = [math.log(value) for value in values]
    bound = math.log1p(margin)
    cuts = _cuts(logs, _price(logs, bound))
    while True:
        segments = [logs[start:end] for start, end in pairwise([0, *cuts, len(logs)])]
        sizes = [_size(before, after) for before, after in pairwise(segments)]
        smallest = min(range(len(sizes)), key=sizes.__getitem__, default=None)
        if smallest is None or sizes[smallest] > bound:
            break
        del cuts[smallest]
    ratios = [math.exp(median(after) - median(before)) for before, after in pairwise(segments)]
    return tuple(Step(at=cut, ratio=ratio) for cut, ratio in zip(cuts, ratios, strict=True))


def _size(before: Sequence[float], after: Sequence[float]) -> float:
    """Of the step between two segments; 0 where one is no level: two wild runs and a good one make a segment too."""
    old, new = median(before), median(after)
    stay = sum(abs(value - old) < abs(value - new) for value in before)
    move = sum(abs(value - new) < abs(value - old) for value in after)
    return abs(new - old) if min(stay, move) >= LEAST_SEGMENT else 0.0


def _price(logs: Sequence[float], bound: float) -> float:
    differences = [abs(after - before) for before, after in pairwise(logs)]
    deviation = max(median(differences) / _DIFFERENCE if differences else 0.0, bound / 3)
    return 2 * _MEAN_DEVIATION * deviation * math.log(max(len(logs), 2))


def _cuts(logs: Sequence[float], price: float) -> list[int]:
    """First positions of all segments but the first."""
    n = len(logs)
    best, came_from = [0.0] + [math.inf] * n, [0] * (n + 1)
    for start in range(n):
        if math.isinf(best[start]):
            continue
        costs = _absolute_deviations(logs[start:])
        for length in range(LEAST_SEGMENT, n - start + 1):
            total = best[start] + costs[length - 1] + (price if start else 0.0)
            if total < best[start + length]:
                best[start + length], came_from[start + length] = total, start
    cuts, end = [], n
    while end > 0 and came_from[end] > 0:
        end = came_from[end]
        cuts.append(end)
    return cuts[::-1]


def _absolute_deviations(values: Sequence[float]) -> list[float]:
    """Sum of absolute deviations from the median of the first one, two, three, ... values."""
    low: list[float] = []  # the smaller half, negated, so that its largest comes first
    high: list[float] = []
    low_sum = high_sum = 0.0
    costs = []
    for value in values:
        if len(low) == len(high):
            up = heappushpop(high, value)
            high_sum += value - up
            heappush(low, -up)
            low_sum += up
        else:
            down = -heappushpop(low, -value)
            low_sum += value - down
            heappush(high, down)
            high_sum += down
        middle = -low[0] if len(low) > len(high) else 0.0
        costs.append(high_sum - low_sum + middle)
    return costs
