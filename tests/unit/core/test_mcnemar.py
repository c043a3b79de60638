"""McNemar's test against SciPy, a published table, and the errors that it may make."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binom, binomtest

from edgekit.core.mcnemar import EXACT_BELOW, mcnemar


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (6, 0), (3, 10), (12, 12), (24, 0), (9, 9)])
def test_few_discordant_samples_give_the_exact_p_value(lost: int, won: int) -> None:
    exact = binomtest(lost, lost + won).pvalue if lost + won else 1.0

    assert mcnemar(lost, won) == pytest.approx(exact)


@pytest.mark.parametrize(("lost", "won"), [(25, 0), (20, 8), (40, 22), (30, 30), (1000, 900)])
def test_many_discordant_samples_count_the_table_itself_half(lost: int, won: int) -> None:
    n, least = lost + won, min(lost, won)
    middle = 2 * binom.cdf(least - 1, n, 0.5) + binom.pmf(least, n, 0.5)

    assert n >= EXACT_BELOW
    assert mcnemar(lost, won) == pytest.approx(min(middle, 1.0))


def test_p_value_is_the_published_one() -> None:
    """Airway hyper-responsiveness before and after transplantation, Fagerland, Lydersen and Laake (2013), table 1."""
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=1e-4)


def test_exchanging_the_models_changes_nothing() -> None:
    assert mcnemar(7, 31) == mcnemar(31, 7)


def test_six_one_way_samples_are_the_fewest_that_show_anything() -> None:
    assert mcnemar(6, 0) <= 0.05 < mcnemar(5, 0)


@pytest.mark.parametrize("discordant", [0.02, 0.05, 0.1])
def test_equal_models_are_called_different_in_at_most_5_of_100(discordant: float) -> None:
    """Exact: each number of discordant samples out of 400, each split of them, weighted by its probability."""
    size = 0.0
    for n in range(150):
        mass = binom.pmf(n, 400, discordant)
        if mass > 1e-9:
            size += mass * math.fsum(binom.pmf(k, n, 0.5) for k in range(n + 1) if mcnemar(k, n - k) <= 0.05)

    assert 0.005 < size <= 0.05


@pytest.mark.parametrize(("lost", "won"), [(-1, 2), (2, -1)])
def test_negative_counts_are_refused(lost: int, won: int) -> None:
    with pytest.raises(ValueError, match="counts"):
        mcnemar(lost, won)
