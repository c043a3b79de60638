"""Paired differences by resampling: beside Newcombe's where both apply, and honest where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.bootstrap import RESAMPLES, Replicates, Resampled, resamples
from edgekit.core.metric import Metric
from edgekit.core.paired import drop_interval, drop_verdict, judge_drop, pairs
from edgekit.core.verdict import Outcome


def mean_of(values: np.ndarray, *, lower_is_better: bool = False, is_share: bool = False) -> Replicates:
    return Replicates(
        value=float(values.mean()),
        values=np.array([values[at].mean() for at in resamples(len(values))]),
        n=len(values),
        lower_is_better=lower_is_better,
        is_share=is_share,
    )


@pytest.mark.parametrize(("n", "lost", "won"), [(500, 10, 3), (500, 30, 25), (2000, 8, 8)])
def test_bounds_of_right_answers_are_near_newcombes(n, lost, won):
    first = np.arange(n) < int(0.9 * n)
    second = first.copy()
    second[:lost] = False
    second[n - won :] = True

    ours = Resampled(first=mean_of(first), second=mean_of(second)).interval(confidence=0.95)
    theirs = drop_interval(pairs(first, second))

    assert ours.value == pytest.approx(theirs.value)
    assert ours.high == pytest.approx(theirs.high, abs=0.003)
    assert ours.low == pytest.approx(theirs.low, abs=0.003)


def test_models_that_agree_on_few_samples_are_not_proven_to_be_the_same():
    few, many = (mean_of(np.ones(n), is_share=True) for n in (20, 1000))

    assert judge_drop(Resampled(first=few, second=few), 0.01) is Outcome.INCONCLUSIVE
    assert judge_drop(Resampled(first=many, second=many), 0.01) is Outcome.PASS


def test_error_that_grows_is_a_drop():
    errors = np.random.default_rng(0).random(400)
    first, second = mean_of(errors, lower_is_better=True), mean_of(errors + 0.1, lower_is_better=True)

    found = Resampled(first=first, second=second)
    verdict = drop_verdict(found, 0.05, metric=Metric(name="mae"))

    assert found.drop == pytest.approx(0.1)
    assert (verdict.metric, verdict.outcome) == ("metric_drop", Outcome.FAIL)
    assert "mae, artifact worse than the float model" in verdict.reason
    assert "points" not in verdict.reason


def test_pairing_makes_the_interval_narrower_than_that_of_either_model():
    errors = np.random.default_rng(0).normal(10, 3, 300)
    first, second = mean_of(errors), mean_of(errors + np.random.default_rng(1).normal(0, 0.01, 300))

    paired, alone = Resampled(first=first, second=second).interval(confidence=0.975), first.interval()

    assert paired.high - paired.low < (alone.high - alone.low) / 2


def test_confidence_of_one_half_is_the_drop_itself():
    found = Resampled(first=mean_of(np.arange(9.0)), second=mean_of(np.arange(9.0) - 1)).interval(confidence=0.5)

    assert found.low == found.value == found.high == pytest.approx(1.0)


def test_open_verdict_says_how_many_samples_it_takes():
    noise = np.random.default_rng(0).normal(0, 1, 100)
    found = Resampled(first=mean_of(np.zeros(100)), second=mean_of(noise - noise.mean()))

    needed = found.samples_needed(0.05, confidence=0.95)

    assert needed == pytest.approx(1.645**2 / 0.05**2, rel=0.15)  # the normal approximation
    assert found.samples_needed(0.0, confidence=0.95) is None


def test_resamples_are_the_same_every_time():
    first, second = list(resamples(5)), list(resamples(5))

    assert len(first) == RESAMPLES
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
