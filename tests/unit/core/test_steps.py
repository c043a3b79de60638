"""Steps of a history: found where they were put, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.steps import LEAST_SEGMENT, Step, find_steps


def history(seed: int, *, runs: int = 30, variation: float = 0.01) -> np.ndarray:
    return 1e6 * np.exp(np.random.default_rng(seed).normal(0, variation, runs))


def test_steps_are_where_they_were_put() -> None:
    values = history(0, runs=60)
    values[20:] *= 1.08
    values[45:] /= 1.20

    found = find_steps(values)

    assert [step.at for step in found] == [20, 45]
    assert [step.ratio for step in found] == pytest.approx([1.08, 1 / 1.20], rel=0.01)


def test_unchanged_histories_have_almost_never_a_step() -> None:
    alarms = sum(bool(find_steps(history(seed, variation=0.02))) for seed in range(100))

    assert alarms <= 2


def test_step_of_5_percent_is_almost_always_found() -> None:
    found = 0
    for seed in range(100):
        values = history(seed)
        values[18:] *= 1.05
        steps = find_steps(values)
        found += len(steps) == 1 and abs(steps[0].at - 18) <= 1

    assert found >= 95


def test_step_within_the_margin_is_none() -> None:
    values = [100.0] * 10 + [104.0] * 10

    assert find_steps(values) == (Step(at=10, ratio=pytest.approx(1.04)),)
    assert find_steps(values, margin=0.05) == ()


def test_runs_that_went_wrong_are_no_level() -> None:
    values = history(3)
    values[[5, 14, 15]] *= 3

    assert find_steps(values) == ()


@pytest.mark.parametrize(("after", "steps"), [(LEAST_SEGMENT - 1, 0), (LEAST_SEGMENT, 1)])
def test_level_is_believed_when_enough_runs_have_it(after: int, steps: int) -> None:
    assert len(find_steps([100.0] * 10 + [150.0] * after)) == steps


def test_few_slower_runs_are_no_level_even_where_all_others_are_equal() -> None:
    values = [100.0] * 100
    values[50:53] = [104.0] * 3

    assert find_steps(values) == ()


def test_slow_drift_is_told_by_steps_beyond_the_margin_only() -> None:
    values = [100 * 1.002**run for run in range(60)]

    found = find_steps(values)

    assert found
    assert all(step.ratio > 1.03 for step in found)


@pytest.mark.parametrize("count", range(6))
def test_short_history_has_no_steps(count: int) -> None:
    assert find_steps([1.0, 1.0, 1.0, 9.0, 9.0][:count]) == ()


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_history_of_something_else_than_positive_numbers_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        find_steps([1.0, wrong])
