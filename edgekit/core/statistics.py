"""Statistics that say how sure they are: percentiles that need enough samples, intervals by bootstrap and by Wilson."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

PERCENTILE_MINIMUM = {50.0: 11, 90.0: 64, 95.0: 130, 99.0: 662, 99.9: 6636}
"""Samples that a percentile needs before it is printed: MLPerf LoadGen's early-stopping minima at 99 % confidence."""

BOOTSTRAP_RESAMPLES = 10_000
_Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def percentile(samples: Sequence[int] | Sequence[float], percent: float) -> float | None:
    """The percentile by linear interpolation, or None when there are too few samples to speak of it.

    Args:
        samples: values, any order.
        percent: one of the keys of `PERCENTILE_MINIMUM`.

    Raises:
        KeyError: a percentile whose minimum is not in the table.
    """
    if len(samples) < PERCENTILE_MINIMUM[percent]:
        return None
    return float(np.percentile(np.asarray(samples, dtype=np.float64), percent))


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
    if len(process_medians) < 2:
        return None
    values = np.asarray(process_medians, dtype=np.float64)
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(values), size=(BOOTSTRAP_RESAMPLES, len(values)))
    low, high = np.percentile(np.median(values[picks], axis=1), [2.5, 97.5])
    return Interval(value=float(median(process_medians)), low=float(low), high=float(high))


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
