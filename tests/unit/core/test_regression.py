"""The verdict on two artifacts: what it says, why it says nothing, and how often it is wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from edgekit.core import rank_tests, regression
from edgekit.core.regression import Change, compare_medians, margin_of, noise_floor

Spread = Callable[[np.random.Generator, int], np.ndarray]


def medians(seed: int, n: int, *, variation: float = 0.02, ratio: float = 1.0) -> np.ndarray:
    return 1e6 * ratio * np.exp(np.random.default_rng(seed).normal(0, variation, n))


def quiet(generator: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(generator.normal(0, 0.02, n))


def loud(generator: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(generator.normal(0, 0.2, n))


def drifting(generator: np.random.Generator, n: int) -> np.ndarray:
    return quiet(generator, n) * np.linspace(1.0, 1.06, n)


def disturbed(generator: np.random.Generator, n: int) -> np.ndarray:
    return quiet(generator, n) * np.where(generator.random(n) < 0.05, generator.uniform(1.1, 1.8, n), 1)


def two_speeds(generator: np.random.Generator, n: int) -> np.ndarray:
    return quiet(generator, n) * np.where(generator.random(n) < 0.4, 1.3, 1)


def verdicts(spread: Spread, n: int, ratio: float, *, trials: int) -> Counter[Change]:
    """Of pairs whose processes were taken in turn, ABBA or BAAB, on a machine with that noise."""
    generator = np.random.default_rng(7)
    found: Counter[Change] = Counter()
    for trial in range(trials):
        turns = [turn if generator.random() < 0.5 else 1 - turn for turn in (np.array([0, 1, 1, 0]),) * (n // 2)]
        second = np.concatenate(turns).astype(bool)
        times = spread(generator, 2 * n)
        margin = margin_of(noise_floor(spread(generator, 20), seed=trial))
        found[compare_medians(times[~second], times[second] * ratio, margin=margin, seed=trial).change] += 1
    return found


@pytest.fixture
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """For simulations, whose answers do not hang on the last digit of an interval."""
    monkeypatch.setattr(rank_tests, "BOOTSTRAP_RESAMPLES", 500)
    monkeypatch.setattr(regression, "_POWER_TRIALS", 2)


@pytest.mark.parametrize(
    ("ratio", "change"), [(1.0, Change.SAME), (1.08, Change.SLOWER), (1 / 1.08, Change.FASTER)], ids=str
)
def test_change_is_called_by_its_name(ratio: float, change: Change) -> None:
    found = compare_medians(medians(0, 20), medians(1, 20, ratio=ratio))

    assert found.change is change
    assert found.low <= found.ratio <= found.high
    assert found.ratio == pytest.approx(ratio, rel=0.02)
    assert found.n == (20, 20)
    assert found.needed is None
    assert (found.p_value <= 0.01) == (change is not Change.SAME)


def test_same_input_gives_the_same_comparison() -> None:
    first, second = medians(0, 12), medians(1, 12)

    assert compare_medians(first, second, seed=3) == compare_medians(second[:0].tolist() + list(first), second, seed=3)


def test_certain_change_within_the_margin_is_no_change() -> None:
    found = compare_medians(medians(0, 40, variation=0.002), medians(1, 40, variation=0.002, ratio=1.02))

    assert found.p_value < 1e-9
    assert found.change is Change.SAME


def test_change_beyond_one_margin_can_lie_within_a_wider_one() -> None:
    first, second = medians(0, 20, variation=0.002), medians(1, 20, variation=0.002, ratio=1.04)

    assert compare_medians(first, second, margin=0.03).change is Change.SLOWER
    assert compare_medians(first, second, margin=0.05).change is Change.SAME


def test_nothing_is_the_same_on_a_device_with_too_wide_a_margin() -> None:
    found = compare_medians(medians(0, 20), medians(1, 20), margin=0.06)

    assert found.change is Change.INCONCLUSIVE
    assert found.needed is None


@pytest.mark.parametrize("n", [1, 2, 6])
def test_too_few_processes_settle_nothing(n: int) -> None:
    found = compare_medians(medians(0, n), medians(1, n, ratio=2.0))

    assert found.change is Change.INCONCLUSIVE
    assert found.needed == 7
    assert found.power == 0.0


@pytest.mark.parametrize("ratio", [1.0, 1.03 * 1.02])
def test_needed_number_of_processes_mostly_settles_it(ratio: float, fewer_resamples: None) -> None:
    open_ = next(
        found
        for seed in range(100)
        if (found := compare_medians(medians(seed, 8), medians(seed + 500, 8, ratio=ratio))).needed
        and abs(math.log(found.ratio / ratio)) < 0.003
    )
    assert open_.change is Change.INCONCLUSIVE
    assert open_.needed is not None
    assert open_.needed > 8

    settled = 0
    for seed in range(40):
        first, second = medians(seed, open_.needed), medians(seed + 500, open_.needed, ratio=ratio)
        settled += compare_medians(first, second).change is not Change.INCONCLUSIVE

    assert settled >= 24


def test_twice_the_spread_needs_four_times_as_many_processes() -> None:
    values = medians(0, 10, variation=0.06)
    needed = [compare_medians(spread, spread[::-1]).needed for spread in (values, values**2 / 1e6)]

    assert None not in needed
    assert needed[1] / needed[0] == pytest.approx(4, rel=0.1)


def test_change_at_its_margin_is_settled_by_no_number() -> None:
    values = medians(0, 10, variation=0.05)

    found = compare_medians(values, values * 1.0299)

    assert found.change is Change.INCONCLUSIVE
    assert found.needed is None


def test_power_is_the_share_of_5_percent_changes_that_are_found(fewer_resamples: None) -> None:
    told = np.mean([compare_medians(medians(s, 10), medians(s + 900, 10), seed=s).power for s in range(60)])
    trials = [compare_medians(medians(s, 10), medians(s + 900, 10, ratio=1.05)) for s in range(200)]

    assert told == pytest.approx(np.mean([found.change is Change.SLOWER for found in trials]), abs=0.06)


def test_power_falls_with_the_spread() -> None:
    powers = [
        compare_medians(medians(0, 10, variation=v), medians(1, 10, variation=v)).power for v in (0.01, 0.03, 0.1)
    ]

    assert powers[0] > 0.99 > powers[1] > 0.4 > powers[2]


def test_equal_times_are_the_same() -> None:
    found = compare_medians([5.0] * 8, [5.0] * 8)

    assert (found.change, found.ratio, found.low, found.high, found.p_value) == (Change.SAME, 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("wrong", [[], [1.0, 0.0], [1.0, -2.0], [float("nan")], [float("inf")]])
def test_what_is_no_time_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        compare_medians([1.0, 2.0], wrong)
    with pytest.raises(ValueError, match="positive"):
        compare_medians(wrong, [1.0, 2.0])


@pytest.mark.parametrize("spread", [quiet, drifting, disturbed, loud, two_speeds], ids=lambda spread: spread.__name__)
def test_unchanged_artifact_is_almost_never_called_changed(spread: Spread, fewer_resamples: None) -> None:
    found = verdicts(spread, 10, 1.0, trials=150)

    assert found[Change.SLOWER] + found[Change.FASTER] <= 4  # of 150 at 1 %: more in 2 of 100 such tests


@pytest.mark.parametrize(("ratio", "n"), [(1.05, 20), (1.10, 10)])
def test_slow_down_is_found_on_a_quiet_machine(ratio: float, n: int, fewer_resamples: None) -> None:
    assert verdicts(quiet, n, ratio, trials=60)[Change.SLOWER] >= 57


@pytest.mark.parametrize("spread", [loud, two_speeds], ids=lambda spread: spread.__name__)
def test_slow_down_on_a_loud_machine_is_found_or_left_open(spread: Spread, fewer_resamples: None) -> None:
    found = verdicts(spread, 10, 1.10, trials=100)

    assert found[Change.SAME] == found[Change.FASTER] == 0
    assert found[Change.INCONCLUSIVE] > 50


def test_noise_floor_is_one_deviation_of_the_difference_of_two_halves() -> None:
    floors = [noise_floor(medians(seed, 20), seed=seed) for seed in range(40)]

    # of two means of 10 values; the Hodges-Lehmann estimate scatters 1 / 0.977 as much (efficiency 3 / pi)
    assert np.mean(floors) == pytest.approx(0.02 * math.sqrt(2 / 10) / 0.977, rel=0.1)


def test_noise_floor_is_not_moved_by_one_disturbed_process() -> None:
    values = medians(0, 20)
    disturbed_one = values.copy()
    disturbed_one[7] *= 3

    assert noise_floor(disturbed_one) < 1.3 * noise_floor(values)


def test_noise_floor_needs_two_halves_that_could_be_judged() -> None:
    noise_floor(medians(0, 14))
    with pytest.raises(ValueError, match="needs 14"):
        noise_floor(medians(0, 13))


@pytest.mark.parametrize(("floor", "margin"), [(None, 0.03), (0.0, 0.03), (0.015, 0.03), (0.02, 0.04)])
def test_margin_is_twice_the_floor_but_at_least_3_percent(floor: float | None, margin: float) -> None:
    assert margin_of(floor) == margin
