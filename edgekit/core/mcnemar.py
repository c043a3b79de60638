"""McNemar's test: do two models that answer the same samples err equally often."""

from __future__ import annotations

import math
from statistics import NormalDist

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


def mcnemar_needed(lost: float, won: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """How many samples McNemar's test needs to find a drop, if such shares of all samples are discordant.

    R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics
    43:207-211, 1987: n = ((z_alpha sqrt(psi) + z_power sqrt(psi - d^2)) / d)^2 of the discordant share psi and the
    drop d.

    Args:
        lost, won: shares of all samples, 0 to 1.
        alpha: error of the two-sided test.
        power: chance to find it.

    Returns:
        Samples in all; None where there is no drop, which no number of them finds.

    Raises:
        ValueError: they are not two shares of one set.
    """
    if lost < 0 or won < 0 or lost + won > 1:
        raise ValueError(f"{lost} and {won} are not two shares of one set")
    discordant, drop = lost + won, abs(lost - won)
    if drop == 0:
        return None
    normal = NormalDist()
    width = normal.inv_cdf(1 - alpha / 2) * math.sqrt(discordant)
    width += normal.inv_cdf(power) * math.sqrt(discordant - drop**2)
    return math.ceil((width / drop) ** 2)
