"""McNemar's test: do two models that answer the same samples err equally often."""

from __future__ import annotations

import math

EXACT_BELOW = 25
"""Discordant samples below which the p-value is exact, else mid-p (edgekit-bench/1, D14)."""

_HALF_LOG = math.log(0.5)


def mcnemar(lost: int, won: int) -> float:
    """Two-sided p-value of McNemar's test (1947): of the samples that one model alone has right, is it one in two.

    Exact with fewer than `EXACT_BELOW` such samples. With more the mid-p value, which counts the table that was found
    only half: it errs in at most 5 of 100 in all but rare designs, where the exact test is needlessly careful
    (M. W. Fagerland, S. Lydersen and P. Laake, BMC Medical Research Methodology 13:91, 2013).

    Args:
        lost: samples that only the first model has right.
        won: samples that only the second model has right.

    Raises:
        ValueError: a count is negative.
    """
    if lost < 0 or won < 0:
        raise ValueError(f"{lost} and {won} are not two counts")
    n, least = lost + won, min(lost, won)
    if n == 0:
        return 1.0
    masses = [_mass(k, n) for k in range(least + 1)]
    tail = math.fsum(masses)
    if n >= EXACT_BELOW:
        tail -= masses[-1] / 2
    return min(2 * tail, 1.0)


def _mass(k: int, n: int) -> float:
    """P(X = k) of n tosses of a fair coin."""
    return math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + n * _HALF_LOG)
