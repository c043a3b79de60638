"""Statistics against tables and formulas that others published."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from edgekit.core import statistics
from edgekit.core.statistics import (
    PERCENTILE_MINIMUM,
    coefficient_of_variation,
    early_stopping_percentile,
    interval_of,
    mad,
    median_interval,
    percentile_interval,
    throughput,
    tukey,
    wilson,
)

# Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998), table I, method 3.
NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)]


def at_most_one_above(n: int, percent: float) -> float:
    """Probability that of n samples at most one lies above the true percentile."""
    p = percent / 100
    return p**n + n * (1 - p) * p ** (n - 1)


@pytest.mark.parametrize(("correct", "n", "low", "high"), NEWCOMBE)
def test_wilson_gives_newcombes_figures(correct, n, low, high):
    interval = wilson(correct, n)

    assert interval.value == correct / n
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_wilson_is_symmetric():
    few, many = wilson(3, 40), wilson(37, 40)

    assert few.low == pytest.approx(1 - many.high)
    assert few.high == pytest.approx(1 - many.low)


def test_wilson_touches_the_ends_exactly_when_all_or_none_are_right():
    assert wilson(0, 7).low == 0.0
    assert wilson(7, 7).high == 1.0
    assert 0 < wilson(7, 7).low < 1


@pytest.mark.parametrize(("correct", "n"), [(0, 0), (1, 0), (-1, 5), (6, 5), (0, -3)])
def test_wilson_refuses_what_is_no_proportion(correct, n):
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(correct, n)


@pytest.mark.parametrize(("percent", "least"), PERCENTILE_MINIMUM.items())
def test_percentile_minimum_is_the_first_that_is_99_percent_sure(percent, least):
    assert at_most_one_above(least, percent) <= 0.01 < at_most_one_above(least - 1, percent)


def test_median_interval_is_the_same_for_the_same_seed():
    medians = [3.0, 4.5, 4.0, 9.0, 4.2]

    assert median_interval(medians, seed=3) == median_interval(list(medians), seed=3)


def test_median_interval_lies_within_the_values_and_around_the_median():
    medians = [10.0, 11.0, 12.0, 13.0, 50.0]

    interval = median_interval(medians)

    assert interval is not None
    assert interval.value == 12.0
    assert 10.0 <= interval.low <= 12.0 <= interval.high <= 50.0
    assert interval.low < interval.high


def test_median_interval_covers_the_true_median_about_as_often_as_it_says():
    generator = np.random.default_rng(7)
    covered = 0

    for _ in range(100):
        interval = median_interval(generator.normal(100.0, 5.0, size=15).tolist())
        assert interval is not None
        covered += interval.low <= 100.0 <= interval.high

    assert 88 <= covered <= 100


@pytest.mark.parametrize("medians", [[], [5.0]])
def test_interval_and_variation_are_none_with_fewer_than_two_processes(medians):
    assert median_interval(medians) is None
    assert coefficient_of_variation(medians) is None


def test_coefficient_of_variation_uses_the_sample_standard_deviation():
    assert coefficient_of_variation([1.0, 2.0, 3.0]) == pytest.approx(0.5)
    assert coefficient_of_variation([1.0, 3.0]) == pytest.approx(math.sqrt(2) / 2)


@pytest.mark.parametrize(("percent", "least"), PERCENTILE_MINIMUM.items())
def test_early_stopping_percentile_starts_with_the_largest_of_the_fewest_samples(percent, least):
    assert early_stopping_percentile(range(least - 1), percent) is None
    assert early_stopping_percentile(range(least)[::-1], percent) == least - 1


@pytest.mark.parametrize("percent", [50.0, 75.0, 90.0, 99.0, 99.9])
@pytest.mark.parametrize("n", [1, 12, 131, 700, 200_000])
def test_early_stopping_percentile_leaves_out_as_many_as_are_too_few_by_chance(percent, n):
    most = np.arange(n)
    too_few = most[(binom.cdf(most, n, 1 - percent / 100) < 0.01) & (most > 0)]

    assert early_stopping_percentile(range(n), percent) == (n - too_few[-1] if len(too_few) else None)


def test_true_percentile_is_above_the_early_stopping_one_about_once_in_a_hundred():
    generator = np.random.default_rng(2)
    below = sum(early_stopping_percentile(generator.random(700), 90.0) < 0.9 for _ in range(1000))

    assert 1 <= below <= 20


def test_percentile_interval_is_that_of_plain_resampling(monkeypatch):
    monkeypatch.setattr(statistics, "PERCENTILE_RESAMPLES", 200)
    generator = np.random.default_rng(0)
    processes = [generator.random(size).tolist() for size in (40, 70, 55, 90)]
    value = early_stopping_percentile(np.concatenate(processes), 90.0)
    share = float(np.mean(np.concatenate(processes) <= value))
    counts = np.random.default_rng(4).multinomial(4, [0.25] * 4, size=200)
    plain = []
    for count in counts:
        calls = np.sort(np.concatenate([calls * int(times) for calls, times in zip(processes, count, strict=True)]))
        plain.append(calls[math.ceil(len(calls) * share - 1e-9) - 1])

    found = percentile_interval(processes, 90.0, seed=4)

    assert (found.value, found.low, found.high) == (value, *np.percentile(plain, [2.5, 97.5]))


def test_percentile_interval_is_as_wide_as_the_processes_are_apart():
    calls = np.random.default_rng(0).normal(100, 1, (8, 500))

    alike = percentile_interval(calls.tolist(), 50.0)
    apart = percentile_interval((calls + np.arange(0, 80, 10)[:, None]).tolist(), 50.0)

    assert alike.high - alike.low < 1
    assert apart.high - apart.low > 20


@pytest.mark.parametrize("processes", [[], [[1, 2, 3] * 100], [[1, 2, 3], [4, 5, 6]]])
def test_percentile_interval_is_none_with_one_process_or_too_few_calls(processes):
    assert percentile_interval(processes, 90.0) is None


def test_tukey_counts_mild_and_severe_outliers_on_both_sides():
    values = np.linspace(0, 4, 4001).tolist()  # quartiles 1 and 3

    assert tukey(values) == (0, 0)
    assert tukey([*values, 5.9, -1.9]) == (0, 0)
    assert tukey([*values, 6.1, -2.1]) == (2, 0)
    assert tukey([*values, 8.9, -5.1, 9.1]) == (1, 2)
    assert tukey([]) == (0, 0)


def test_mad_is_the_median_distance_from_the_median():
    assert mad([1, 1, 2, 2, 4, 6, 9]) == 1.0
    assert mad([5]) == 0.0


def test_interval_of_takes_any_statistic_of_the_processes():
    values = [10, 11, 12, 13, 50]

    mean, middle = interval_of(values, np.mean), interval_of(values, np.median)

    assert (mean.value, middle.value) == (19.2, 12.0)
    assert middle == median_interval(values)
    assert mean.low < 19.2 < mean.high <= 50


def test_throughput_is_calls_over_time():
    found = throughput([[1_000_000] * 3, [3_000_000, 1_000_000]])

    assert found.value == pytest.approx((1000 + 500) / 2)
    assert (found.low, found.high) == pytest.approx((500, 1000))
    assert throughput([[1_000_000]]) is None
