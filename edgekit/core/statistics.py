"""Statistics that say how sure they are: percentiles that need enough samples, intervals by bootstrap and by Wilson."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILE_MINIMUM = {50.0: 11, 90.0: 64, 95.0: 130, 99.0: 662, 99.9: 6636}
"""Samples that a percentile needs before it is printed: MLPerf LoadGen's early-stopping minima at 99 % confidence."""

PERCENTILE_CONFIDENCE = 0.99
"""LoadGen's: how sure it is that the true percentile is not above the value that is told."""

BOOTSTRAP_RESAMPLES = 10_000
PERCENTILE_RESAMPLES = 2_000
"""Of percentiles of pooled calls, where each one costs more."""
_Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def early_stopping_percentile(samples: Sequence[int] | Sequence[float], percent: float) -> float | None:
    """The value that the true percentile is not above, at 99 % confidence: MLPerf LoadGen's early-stopping estimate.

    Of n sorted samples it is the t-th from the top, t being the largest number of samples above the percentile that
    would still be too few by chance: P(X <= t) < 0.01 for X binomial of n and 1 - percent / 100 (MLCommons inference,
    loadgen/early_stopping.cc and results.cc: h = n - t samples below and t above, beta_regularized(p, h, t + 1)).

    Args:
        samples: values, any order; of one process or of several.
        percent: above 0, below 100.

    Returns:
        None with too few samples to say so; `PERCENTILE_MINIMUM` has the least of the usual percentiles.
    """
    rank = _early_stopping_rank(len(samples), percent)
    if rank is None:
        return None
    return float(np.partition(np.asarray(samples, dtype=np.float64), rank)[rank])


def _early_stopping_rank(n: int, percent: float) -> int | None:
    """Position among n sorted samples, from 0.

    The binomial distribution is summed here: SciPy has it too, but its import would take longer than a short profile's
    statistics altogether.
    """
    above = 1 - percent / 100
    steps = np.arange(math.ceil(n * above))
    growth = np.log((n - steps) / (steps + 1)) + math.log(above / (1 - above))
    log_masses = n * math.log1p(-above) + np.concatenate([[0.0], np.cumsum(growth)])
    most = int(np.searchsorted(np.cumsum(np.exp(log_masses)), 1 - PERCENTILE_CONFIDENCE)) - 1
    return n - most if most > 0 else None


def percentile_interval(
    processes: Sequence[Sequence[int]] | Sequence[Sequence[float]], percent: float, *, seed: int = 0
) -> Interval | None:
    """`early_stopping_percentile` of all processes' calls with a 95 % bootstrap interval over processes.

    A resample draws processes with all their calls, since those of one process go together; the interval holds the
    values at the same relative rank.

    Args:
        processes: the calls of each process, any number each.
        percent: above 0, below 100.
        seed: of the resampling; the same input gives the same interval.

    Returns:
        None with fewer than two processes, or with too few calls.
    """
    rank = _early_stopping_rank(sum(len(calls) for calls in processes), percent)
    if len(processes) < 2 or rank is None:
        return None
    ordered = [np.sort(np.asarray(calls, dtype=np.float64)) for calls in processes]
    pooled = np.sort(np.concatenate(ordered))
    share = np.full(len(ordered), 1 / len(ordered))
    counts = np.random.default_rng(seed).multinomial(len(ordered), share, size=PERCENTILE_RESAMPLES)
    sizes = counts @ np.array([len(calls) for calls in ordered])
    wanted = np.maximum(np.ceil(sizes * ((rank + 1) / len(pooled)) - 1e-9), 1)
    low, high = np.zeros(len(counts), dtype=np.int64), np.full(len(counts), len(pooled) - 1)
    while np.any(low < high):  # the first pooled value that enough of the resample's calls are not above
        middle = (low + high) // 2
        below = np.stack([np.searchsorted(calls, pooled[middle], side="right") for calls in ordered], axis=1)
        enough = (counts * below).sum(axis=1) >= wanted
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    from_, to = np.percentile(pooled[low], [2.5, 97.5])
    return Interval(value=float(pooled[rank]), low=float(from_), high=float(to))


def tukey(samples: Sequence[int] | Sequence[float]) -> tuple[int, int]:
    """How many samples are mild and how many severe outliers (J. W. Tukey, "Exploratory Data Analysis", 1977).

    Mild ones lie more than 1.5 interquartile ranges outside the quartiles, severe ones more than 3. They are counted,
    never dropped.
    """
    values = np.asarray(samples, dtype=np.float64)
    if not len(values):
        return 0, 0
    first, third = np.percentile(values, [25, 75])
    outside = np.maximum(first - values, values - third)
    severe = int((outside > 3 * (third - first)).sum())
    return int((outside > 1.5 * (third - first)).sum()) - severe, severe


def mad(samples: Sequence[int] | Sequence[float]) -> float:
    """Median absolute deviation from the median, not scaled; of at least one sample."""
    values = np.asarray(samples, dtype=np.float64)
    return float(np.median(np.abs(values - np.median(values))))


def median_interval(process_medians: Sequence[float], *, seed: int = 0) -> Interval | None:
    """Median of per-process medians with a bootstrap percentile interval over processes.

    The process is the unit of replication: iterations within one are not independent
    (Kalibera and Jones, "Rigorous benchmarking in reasonable time", 2013).

    Args:
        process_medians: one median a process, shape [processes].
        seed: of the resampling; the same input gives the same interval.

    Returns:
        None with fewer than two processes: one process says nothing about the next.
    """
    return interval_of(process_medians, np.median, seed=seed)


def interval_of(
    values: Sequence[int] | Sequence[float], statistic: Callable[..., NDArray[Any] | np.floating[Any]], *, seed: int = 0
) -> Interval | None:
    """A statistic of one value a process, with a 95 % bootstrap percentile interval over processes.

    Args:
        values: one a process, shape [processes].
        statistic: `np.median`, `np.mean` or any other that takes an `axis`.
        seed: of the resampling; the same input gives the same interval.

    Returns:
        None with fewer than two processes: one process says nothing about the next.
    """
    if len(values) < 2:
        return None
    array = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(array), size=(BOOTSTRAP_RESAMPLES, len(array)))
    low, high = np.percentile(statistic(array[picks], axis=1), [2.5, 97.5])
    return Interval(value=float(statistic(array, axis=0)), low=float(low), high=float(high))


def throughput(processes: Sequence[Sequence[int]], *, seed: int = 0) -> Interval | None:
    """Calls per second, one after the other: the mean over processes, with its interval.

    Args:
        processes: samples of each process in nanoseconds, at least one; what a batched sample means is one call's time.
        seed: of the resampling; the same input gives the same interval.

    Returns:
        None with fewer than two processes.
    """
    return interval_of([1e9 * len(samples) / sum(samples) for samples in processes], np.mean, seed=seed)


def coefficient_of_variation(process_medians: Sequence[float]) -> float | None:
    """Sample standard deviation of the process medians divided by their mean; None with fewer than two."""
    if len(process_medians) < 2:
        return None
    values = np.asarray(process_medians, dtype=np.float64)
    return float(values.std(ddof=1) / values.mean())


def wilson(correct: int, n: int) -> Interval:
    """Wilson's score interval (1927) of a proportion at 95 %.

    Raises:
        ValueError: n is not positive, or correct is not within 0..n.
    """
    if n <= 0 or not 0 <= correct <= n:
        raise ValueError(f"{correct} of {n} is not a proportion")
    share, z2 = correct / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == n else centre + half
    return Interval(value=share, low=low, high=high)
