"""The paired difference of two accuracies: published intervals, exact coverage, verdicts that say what is missing."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from edgekit.core.paired import (
    Pairs,
    drop_interval,
    drop_verdict,
    judge_drop,
    pairs,
    samples_needed,
    signal_to_noise_db,
)
from edgekit.core.verdict import Outcome

BOTH_SIDES_95 = 0.975


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        # Altman, Machin, Bryant and Gardner, "Statistics with Confidence", 2nd edition, 2000, table 6.2
        ((14, 5, 0, 22), (0.122, 0.011, 0.226)),
        # airway hyper-responsiveness: Fagerland, Lydersen and Laake, Statistics in Medicine 33:2850-2875, 2014
        ((1, 1, 7, 12), (-0.286, -0.507, -0.026)),
    ],
)
def test_interval_is_the_published_one(counts: tuple[int, ...], published: tuple[float, ...]) -> None:
    both, lost, won, neither = counts

    found = drop_interval(Pairs(both=both, lost=lost, won=won, neither=neither), confidence=BOTH_SIDES_95)

    assert (found.value, found.low, found.high) == pytest.approx(published, abs=5e-4)


def test_exchanging_the_models_turns_the_interval_round() -> None:
    there = drop_interval(Pairs(both=90, lost=6, won=2, neither=2))
    back = drop_interval(Pairs(both=90, lost=2, won=6, neither=2))

    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_upper_bound_covers_the_true_drop_about_as_often_as_it_says() -> None:
    """Exact: every table of 30 samples, weighted by its multinomial probability."""
    n = 30
    tables = [(e, f, g, n - e - f - g) for e, f, g in product(range(n + 1), repeat=3) if e + f + g <= n]
    bounds = [drop_interval(Pairs(both=e, lost=f, won=g, neither=h)).high for e, f, g, h in tables]
    ways = np.array([math.lgamma(n + 1) - sum(math.lgamma(part + 1) for part in table) for table in tables])
    covered = []
    for shares in ((0.9, 0.05, 0.02, 0.03), (0.7, 0.1, 0.1, 0.1), (0.8, 0.1, 0.02, 0.08), (0.5, 0.2, 0.2, 0.1)):
        chances = np.exp(ways + np.array(tables) @ np.log(shares))
        covered.append(float(chances[np.array(bounds) >= shares[1] - shares[2] - 1e-12].sum()))

    assert min(covered) > 0.92
    assert float(np.mean(covered)) == pytest.approx(0.95, abs=0.03)


def test_confidence_of_one_half_is_the_drop_itself() -> None:
    found = drop_interval(Pairs(both=90, lost=6, won=2, neither=2), confidence=0.5)

    assert found.high == pytest.approx(0.04)


def test_counting_pairs_tells_lost_from_won() -> None:
    before, after = np.array([1, 1, 1, 0, 0], bool), np.array([1, 0, 0, 1, 0], bool)

    assert pairs(before, after) == Pairs(both=1, lost=2, won=1, neither=1)


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        (Pairs(both=9800, lost=10, won=10, neither=180), Outcome.PASS),
        (Pairs(both=980, lost=3, won=2, neither=15), Outcome.INCONCLUSIVE),
        (Pairs(both=950, lost=30, won=2, neither=18), Outcome.FAIL),
    ],
)
def test_drop_is_judged_by_its_bound(counts: Pairs, outcome: Outcome) -> None:
    assert judge_drop(counts, 0.002) is outcome


def test_inconclusive_verdict_says_how_many_samples_would_do() -> None:
    counts = Pairs(both=980, lost=3, won=2, neither=15)
    needed = samples_needed(counts, 0.002)

    assert needed is not None
    assert judge_drop(counts.scaled(needed / counts.n), 0.002) is Outcome.PASS
    assert judge_drop(counts.scaled((needed - 1) / counts.n), 0.002) is Outcome.INCONCLUSIVE
    assert f"inconclusive, needs n >= {needed:,}" in drop_verdict(counts, 0.002).reason


def test_no_number_of_samples_settles_a_drop_at_its_limit() -> None:
    assert samples_needed(Pairs(both=900, lost=10, won=0, neither=90), 0.01) is None


def test_small_set_cannot_prove_even_an_unchanged_model() -> None:
    assert judge_drop(Pairs(both=95, lost=0, won=0, neither=5), 0.002) is Outcome.INCONCLUSIVE
    assert judge_drop(Pairs(both=9800, lost=0, won=0, neither=200), 0.002) is Outcome.PASS


def test_models_that_are_always_right_have_no_correlation_to_divide_by() -> None:
    found = drop_interval(Pairs(both=100, lost=0, won=0, neither=0))

    assert 0 < found.high < 0.05


def test_signal_to_noise_is_in_decibels() -> None:
    assert signal_to_noise_db([1.0, -1.0], [1.1, -0.9]) == pytest.approx(20.0)
    assert signal_to_noise_db([1.0], [1.0]) == math.inf
    assert signal_to_noise_db([0.0], [1.0]) == -math.inf
