"""Rank tests against SciPy and plain resampling, and Holm's procedure by its published rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, mannwhitneyu

from edgekit.core import rank_tests
from edgekit.core.rank_tests import hodges_lehmann, hodges_lehmann_interval, holm, mann_whitney

FIRST, SECOND = np.array([1.0, 2.0, 4.0, 8.0]), np.array([3.0, 5.0, 9.0])


def test_p_value_without_ties_is_exact() -> None:
    assert mann_whitney(FIRST, SECOND) == mannwhitneyu(FIRST, SECOND, method="exact").pvalue


def test_p_value_of_fully_apart_sevens_is_two_in_all_ways_to_choose_them() -> None:
    assert mann_whitney(np.arange(7.0), np.arange(7.0) + 7) == pytest.approx(2 / 3432)


@pytest.mark.parametrize("second", [np.array([2.0, 5.0, 9.0]), np.arange(0.5, 41)], ids=["ties", "many"])
def test_p_value_with_ties_or_many_values_is_approximate(second: np.ndarray) -> None:
    approximate = mannwhitneyu(FIRST, second, method="asymptotic").pvalue

    assert mann_whitney(FIRST, second) == approximate
    assert approximate != mannwhitneyu(FIRST, second, method="exact").pvalue


def test_p_value_of_values_that_are_all_equal_is_one() -> None:
    assert mann_whitney(np.ones(9), np.ones(9)) == 1.0


def test_hodges_lehmann_is_the_median_of_all_differences() -> None:
    differences = sorted(after - before for before in FIRST for after in SECOND)

    assert hodges_lehmann(FIRST, SECOND) == (differences[5] + differences[6]) / 2


@pytest.mark.parametrize("sizes", [(4, 3), (9, 9), (1, 1)])
def test_interval_is_that_of_plain_resampling(sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_tests, "BOOTSTRAP_RESAMPLES", 400)
    monkeypatch.setattr(rank_tests, "_RESAMPLES_AT_ONCE", 150)
    values = np.random.default_rng(1)
    first, second = (values.normal(size=size) for size in sizes)

    generator = np.random.default_rng(5)
    counts = [rank_tests._counts(size, generator).T for size in sizes]
    plain = [
        hodges_lehmann(np.repeat(first, one), np.repeat(second, other)) for one, other in zip(*counts, strict=True)
    ]

    found = hodges_lehmann_interval(first, second, np.random.default_rng(5))

    assert all((count.sum(axis=1) == size).all() for count, size in zip(counts, sizes, strict=True))
    assert found == pytest.approx(tuple(np.percentile(plain, [2.5, 97.5])))


def test_holm_holds_the_smallest_against_the_strictest_limit() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05) == (True, False, False, True)
    assert holm([0.04, 0.012, 0.02], 0.05) == (True, True, True)
    assert holm([0.04, 0.018, 0.02], 0.05) == (False, False, False)
    assert holm([], 0.05) == ()


def test_holm_rejects_no_more_than_each_test_alone_and_no_less_than_bonferroni() -> None:
    values = np.random.default_rng(0)
    for _ in range(50):
        p_values = (values.random(6) ** 4).tolist()
        rejected = holm(p_values, 0.05)
        assert all(p <= 0.05 for p, yes in zip(p_values, rejected, strict=True) if yes)
        assert all(yes for p, yes in zip(p_values, rejected, strict=True) if p <= 0.05 / 6)
        discoveries = false_discovery_control(p_values) <= 0.05
        assert all(found for found, yes in zip(discoveries, rejected, strict=True) if yes)
