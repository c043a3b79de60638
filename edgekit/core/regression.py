"""Is the second one slower: two artifacts by their process medians, and a verdict that is wrong at most once in 100."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from edgekit.core.rank_tests import hodges_lehmann, hodges_lehmann_interval, holm, mann_whitney

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ALPHA",
    "CHANGE_TO_FIND",
    "LEAST_MARGIN",
    "LEAST_PROCESSES",
    "MOST_MARGIN",
    "Change",
    "Comparison",
    "compare_medians",
    "holm",
    "margin_of",
    "noise_floor",
]

LEAST_MARGIN = 0.03
"""A change below 3 % is never called one (edgekit-bench/1, D10)."""

CHANGE_TO_FIND = 0.05
"""What the protocol promises to find on an idle device; a comparison tells its power for it."""

MOST_MARGIN = CHANGE_TO_FIND
"""On a device whose margin is wider nothing is called the same: a change that should be found would pass as that."""

LEAST_PROCESSES = 7
"""With fewer processes a side there is no verdict (edgekit-bench/1, D11)."""

ALPHA = 0.01

_ONE_DEVIATION = 68.27  # per cent of a normal distribution within one standard deviation
_POWER_TRIALS = 1_000
_MOST_NEEDED = 1_000
_NORMAL = NormalDist()
_Z95 = _NORMAL.inv_cdf(0.975)
_Z_PROBABLY = _NORMAL.inv_cdf(0.8)


class Change(StrEnum):
    """What became of a figure of which less is better."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sets of process medians held against each other; ratios are second over first.

    Attributes:
        change: the verdict on the second one.
        ratio: Hodges-Lehmann estimate of the ratio.
        low, high: 95 % bootstrap interval of the ratio, over processes.
        p_value: of the two-sided Mann-Whitney test, exact where no two medians are equal.
        margin: changes within it count as the same, e.g. 0.03.
        n: processes of the first and of the second.
        needed: processes a side that would probably settle it; None where it is settled, or no number below 1,000 does.
        power: probability to find a change of 5 % with as many processes of this spread.
    """

    change: Change
    ratio: float
    low: float
    high: float
    p_value: float
    margin: float
    n: tuple[int, int]
    needed: int | None
    power: float


def margin_of(floor: float | None) -> float:
    """The margin of a device with this noise floor: max(3 %, twice the floor)."""
    return LEAST_MARGIN if floor is None else max(LEAST_MARGIN, 2 * floor)


def noise_floor(medians: Sequence[float], *, splits: int = 200, seed: int = 0) -> float:
    """How far two halves of the same processes are apart (A/A), as a share: 0.01 is 1 %.

    It is the distance that 68.27 % of the splits stay within, one standard deviation of a normal distribution, so that
    the margin of twice the floor holds 95 % of the comparisons of the device with itself. A higher percentile would
    double that guard, and with it lose what the gate is for: at a variation of 2 % the 95th would make the margin 3.4 %
    of which 5 % slow-downs are found 20 against 20 in 93 of 100; this one leaves it at 3 %, which finds 99. False
    alarms are held off by the test of `compare_medians`, not by the margin. A percentile, unlike a standard deviation,
    is not moved by a single process that was disturbed.

    Args:
        medians: one a process, all of the same artifact, at least 2 x LEAST_PROCESSES.
        splits: random splits into halves; with an odd number of processes each leaves one out.
        seed: of the splits.

    Raises:
        ValueError: there are too few, or one is not a positive number.
    """
    logs = _logs(medians)
    half = len(logs) // 2
    if half < LEAST_PROCESSES:
        raise ValueError(f"{len(logs)} processes: a noise floor needs {2 * LEAST_PROCESSES}")
    generator = np.random.default_rng(seed)
    apart = []
    for _ in range(splits):
        order = generator.permutation(len(logs))
        apart.append(abs(hodges_lehmann(logs[order[:half]], logs[order[half : 2 * half]])))
    return math.expm1(float(np.percentile(apart, _ONE_DEVIATION)))


def compare_medians(
    first: Sequence[float],
    second: Sequence[float],
    *,
    margin: float = LEAST_MARGIN,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Comparison:
    """The verdict D11 of edgekit-bench/1.

    Slower or faster: the Mann-Whitney test rejects at `alpha`, and the ratio lies beyond the margin, and its interval
    excludes 1. Same: the whole interval lies within the margin (two one-sided tests, D. J. Schuirmann, Journal of
    Pharmacokinetics and Biopharmaceutics 15:657-680, 1987, each at 2.5 %), and the margin is at most `MOST_MARGIN`.
    Inconclusive: neither, or fewer than `LEAST_PROCESSES` a side. Under the test's only assumption, that without a
    change each process could as well have been one of the other side's, which measuring in turn sees to, at most
    alpha / 2 of unchanged artifacts are called slower, however much and in whatever shape the times scatter. At most
    alpha of them are where an open verdict is looked at once more with twice the processes.

    Args:
        first, second: process medians in any unit, the same for both; any order.
        margin: of the device, see `margin_of`.
        alpha: error of the two-sided test.
        seed: of the resampling; the same input gives the same result.

    Raises:
        ValueError: a side is empty, or a median is not a positive number.
    """
    before, after = _logs(first), _logs(second)
    generator = np.random.default_rng(seed)
    estimate, p_value = hodges_lehmann(before, after), mann_whitney(before, after)
    low, high = hodges_lehmann_interval(before, after, generator)
    bound, n = math.log1p(margin), (len(before), len(after))
    change = Change.INCONCLUSIVE
    if min(n) >= LEAST_PROCESSES:
        if p_value <= alpha and estimate > bound and low > 0:
            change = Change.SLOWER
        elif p_value <= alpha and estimate < -bound and high < 0:
            change = Change.FASTER
        elif margin <= MOST_MARGIN and -bound <= low and high <= bound:
            change = Change.SAME
    needed = None
    if change is Change.INCONCLUSIVE:
        needed = _needed(estimate, (high - low) / (2 * _Z95), n, bound, alpha, can_be_same=margin <= MOST_MARGIN)
    return Comparison(
        change=change,
        ratio=math.exp(estimate),
        low=math.exp(low),
        high=math.exp(high),
        p_value=p_value,
        margin=margin,
        n=n,
        needed=needed,
        power=_power(before, after, bound, alpha, generator),
    )


def _logs(medians: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(medians, dtype=np.float64)
    if not len(values) or not np.all(np.isfinite(values) & (values > 0)):
        raise ValueError(f"process medians are positive numbers, at least one; got {list(medians)[:10]}")
    return np.log(values)


def _needed(
    estimate: float, error: float, n: tuple[int, int], bound: float, alpha: float, *, can_be_same: bool
) -> int | None:
    """Processes a side that settle it in 8 of 10 cases, if the estimate stays and its error falls with their root."""
    apart = abs(estimate)
    if apart > bound:
        ends = (_NORMAL.inv_cdf(1 - alpha / 2) + _Z_PROBABLY) * error / apart, _Z_PROBABLY * error / (apart - bound)
    elif can_be_same and apart < bound:
        ends = (_Z95 + _Z_PROBABLY) * error / (bound - apart), 0.0
    else:
        return None
    smaller = min(n)
    needed = max(math.ceil(smaller * max(ends) ** 2), smaller + 1, LEAST_PROCESSES)
    return needed if needed <= _MOST_NEEDED else None


def _power(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    bound: float,
    alpha: float,
    generator: np.random.Generator,
) -> float:
    """Share of simulated slow-downs of 5 % that are found: both sides drawn from what is left without their medians."""
    n1, n2 = len(before), len(after)
    if min(n1, n2) < LEAST_PROCESSES:
        return 0.0
    spread = np.concatenate(
        [(before - np.median(before)) * math.sqrt(n1 / (n1 - 1)), (after - np.median(after)) * math.sqrt(n2 / (n2 - 1))]
    )
    limit = _NORMAL.inv_cdf(1 - alpha / 2) * math.sqrt(n1 * n2 * (n1 + n2 + 1) / 12) + (n1 * n2 + 1) / 2
    found, step = 0, max(1, 1_000_000 // (n1 * n2))
    for start in range(0, _POWER_TRIALS, step):
        trials = min(step, _POWER_TRIALS - start)
        one = generator.choice(spread, size=(trials, n1))
        other = generator.choice(spread, size=(trials, n2)) + math.log1p(CHANGE_TO_FIND)
        differences = (other[:, :, None] - one[:, None, :]).reshape(trials, n1 * n2)
        wins = (differences > 0).sum(axis=1) + (differences == 0).sum(axis=1) / 2
        found += int(((wins >= limit) & (np.median(differences, axis=1) > bound)).sum())
    return found / _POWER_TRIALS
