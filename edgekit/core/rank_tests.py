"""Two samples held against each other by their ranks: Mann-Whitney, Hodges-Lehmann, and Holm over many tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.statistics import BOOTSTRAP_RESAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_UP_TO = 40
"""Values a side up to which the distribution of Mann-Whitney's U is taken exactly."""

_RESAMPLES_AT_ONCE = 500


def mann_whitney(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Two-sided p-value of the test of Mann and Whitney (1947): do two samples come from one distribution.

    Exact where no two values are equal and neither side has more than `EXACT_UP_TO`; else by the normal distribution
    with the corrections for ties and for continuity.

    Args:
        first, second: values of shape [n], at least one a side.
    """
    from scipy.stats import mannwhitneyu

    together = np.concatenate([first, second])
    distinct = len(np.unique(together)) == len(together)
    exact = distinct and max(len(first), len(second)) <= EXACT_UP_TO
    return float(mannwhitneyu(first, second, method="exact" if exact else "asymptotic").pvalue)


def hodges_lehmann(first: NDArray[Any], second: NDArray[Any]) -> float:
    """The median of all differences, second minus first (J. L. Hodges and E. L. Lehmann, 1963)."""
    return float(np.median(np.subtract.outer(second, first)))


def hodges_lehmann_interval(
    first: NDArray[Any], second: NDArray[Any], generator: np.random.Generator
) -> tuple[float, float]:
    """95 % percentile interval of `hodges_lehmann`, both sides drawn again with replacement.

    A resample only changes how often each difference counts, so that the differences are sorted once and its median is
    a weighted one.

    Args:
        first, second: values of shape [n], at least one a side.
        generator: of the resampling.
    """
    differences = np.subtract.outer(second, first).ravel()
    order = np.argsort(differences, kind="stable")
    of_second, of_first = np.divmod(order, len(first))
    counts_first, counts_second = _counts(len(first), generator), _counts(len(second), generator)
    ordered, pairs = differences[order], len(order)
    medians = np.empty(BOOTSTRAP_RESAMPLES)
    for start in range(0, BOOTSTRAP_RESAMPLES, _RESAMPLES_AT_ONCE):
        part = slice(start, start + _RESAMPLES_AT_ONCE)
        weights = counts_first[:, part][of_first]
        weights *= counts_second[:, part][of_second]
        below = 2 * np.cumsum(weights, axis=0, out=weights)
        medians[part] = (ordered[(below < pairs).sum(axis=0)] + ordered[(below <= pairs).sum(axis=0)]) / 2
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)


def _counts(n: int, generator: np.random.Generator) -> NDArray[np.int32]:
    """How often each of n values is in each resample, shape [n, resamples]."""
    picks = generator.integers(0, n, size=(BOOTSTRAP_RESAMPLES, n)) + n * np.arange(BOOTSTRAP_RESAMPLES)[:, None]
    counts = np.bincount(picks.ravel(), minlength=BOOTSTRAP_RESAMPLES * n)
    return counts.reshape(BOOTSTRAP_RESAMPLES, n).T.astype(np.int32)


def holm(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Which of several tests reject while at most a share `alpha` of such families has a false one.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6:65-70,
    1979: the smallest p-value is held against alpha / m, the next against alpha / (m - 1), until one does not reject.

    Args:
        p_values: of the tests, any order.
        alpha: error of the whole family.

    Returns:
        One answer a test, in the order of `p_values`.
    """
    rejected = [False] * len(p_values)
    for done, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        if p_values[at] > alpha / (len(p_values) - done):
            break
        rejected[at] = True
    return tuple(rejected)
