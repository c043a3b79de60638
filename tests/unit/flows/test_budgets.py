"""Budgets are held against what was found; what an emulator says of time and memory proves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.measurement import Accuracy, Evaluation, Measurement, Memory, Plan, ProcessRun, Provenance, Validity
from edgekit.core.metric import TOP_1
from edgekit.core.paired import Pairs
from edgekit.core.paired_verdict import paired_verdict
from edgekit.core.statistics import wilson
from edgekit.core.target import Budgets
from edgekit.core.verdict import Outcome
from edgekit.flows.budgets import judge, judge_deployed


def accuracy(correct: int) -> Accuracy:
    interval = wilson(correct, 100)
    return Accuracy(correct=correct, n=100, low=interval.low, high=interval.high, provenance=Provenance.MEASURED)


def measurement(provenance: Provenance, *, samples: int = 100) -> Measurement:
    run = ProcessRun(import_ns=1, load_ns=1, first_ns=1, warmup_ns=(), samples_ns=(1_000_000,) * samples)
    return Measurement(
        device="d",
        artifact_digest="0" * 64,
        plan=Plan(runtime="litert"),
        runs=(run,),
        memory=Memory(baseline_rss_bytes=10, peak_rss_bytes=50),
        memory_reason=None,
        provenance=provenance,
        validity=(Validity.VALID,),
        environment={},
    )


def outcomes(budgets: Budgets, **found: object) -> dict[str, Outcome]:
    known: dict[str, object] = {"size_bytes": 1000, "reference": None, "accuracy": None, "measurement": None}
    verdicts = judge(budgets, **(known | found))  # type: ignore[arg-type]
    return {verdict.metric: verdict.outcome for verdict in verdicts}


def test_nothing_is_judged_when_no_budget_is_set() -> None:
    assert outcomes(Budgets(), measurement=measurement(Provenance.MEASURED)) == {}


@pytest.mark.parametrize(("limit", "outcome"), [(1000, Outcome.PASS), (999, Outcome.FAIL)])
def test_size_is_held_against_the_flash_budget(limit: int, outcome: Outcome) -> None:
    assert outcomes(Budgets(flash_bytes=limit)) == {"flash_bytes": outcome}


@pytest.mark.parametrize(("correct", "outcome"), [(96, Outcome.PASS), (93, Outcome.FAIL)])
def test_accuracy_drop_is_the_difference_to_the_float_model(correct: int, outcome: Outcome) -> None:
    found = outcomes(Budgets(accuracy_drop=0.02), reference=accuracy(97), accuracy=accuracy(correct))

    assert found == {"accuracy_drop": outcome}


def test_accuracy_drop_is_inconclusive_without_labels() -> None:
    assert outcomes(Budgets(accuracy_drop=0.02)) == {"accuracy_drop": Outcome.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("provenance", "outcome"),
    [
        (Provenance.MEASURED, Outcome.FAIL),
        (Provenance.EMULATED, Outcome.INCONCLUSIVE),
        (Provenance.ESTIMATED, Outcome.INCONCLUSIVE),
    ],
)
def test_time_and_memory_are_judged_only_on_a_real_machine(provenance: Provenance, outcome: Outcome) -> None:
    budgets = Budgets(latency_p90_ns=999_999, ram_bytes=49)

    found = outcomes(budgets, measurement=measurement(provenance))

    assert found == {"ram_bytes": outcome, "latency_p90_ns": outcome}


def test_latency_is_inconclusive_with_too_few_samples() -> None:
    budgets = Budgets(latency_p90_ns=10_000_000)

    found = outcomes(budgets, measurement=measurement(Provenance.MEASURED, samples=63))

    assert found == {"latency_p90_ns": Outcome.INCONCLUSIVE}


def test_latency_of_an_invalid_measurement_decides_nothing() -> None:
    invalid = replace(measurement(Provenance.MEASURED), validity=(Validity.INVALID,))

    found = outcomes(Budgets(latency_p90_ns=999_999, ram_bytes=49), measurement=invalid)

    assert found == {"ram_bytes": Outcome.FAIL, "latency_p90_ns": Outcome.INCONCLUSIVE}


def evaluation(*, accuracy: Accuracy | None, reference: Accuracy | None) -> Evaluation:
    return Evaluation(
        device="d",
        artifact_digest="0" * 64,
        dataset_digest="1" * 64,
        accuracy=accuracy,
        reference=reference,
        agreement=None,
        identical_outputs=None,
        max_abs_difference=None,
        n=100,
        seconds=1.0,
        provenance=Provenance.MEASURED,
    )


@pytest.mark.parametrize(
    ("on_device", "on_host", "outcome"),
    [(90, 97, Outcome.FAIL), (97, 90, Outcome.PASS), (None, 97, Outcome.PASS), (None, 90, Outcome.FAIL)],
)
def test_devices_accuracy_counts_and_the_hosts_where_there_is_none(
    on_device: int | None, on_host: int, outcome: Outcome
) -> None:
    found = evaluation(accuracy=None if on_device is None else accuracy(on_device), reference=accuracy(97))

    (verdict,) = judge_deployed(
        Budgets(accuracy_drop=0.02), size_bytes=1, host=accuracy(on_host), measurement=None, evaluation=found
    )

    assert verdict.outcome is outcome


def test_accuracy_without_an_evaluation_on_the_device_has_no_reference() -> None:
    (verdict,) = judge_deployed(
        Budgets(accuracy_drop=0.02), size_bytes=1, host=accuracy(97), measurement=None, evaluation=None
    )

    assert verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("lost", "limit", "outcome"),
    [(0, 0.05, Outcome.PASS), (2, 0.021, Outcome.INCONCLUSIVE), (6, 0.05, Outcome.FAIL), (2, 0.08, Outcome.PASS)],
)
def test_drop_on_the_device_is_within_the_budget_when_its_bound_is(lost: int, limit: float, outcome: Outcome) -> None:
    paired = paired_verdict(Pairs(both=97 - lost, lost=lost, won=0, neither=3), TOP_1, max_drop=limit)
    found = replace(evaluation(accuracy=accuracy(97 - lost), reference=accuracy(97)), paired=paired)

    (verdict,) = judge_deployed(
        Budgets(accuracy_drop=limit), size_bytes=1, host=None, measurement=None, evaluation=found
    )

    assert (verdict.metric, verdict.outcome) == ("accuracy_drop", outcome)
    assert verdict.reason == paired.reason


def test_drop_is_judged_by_its_interval_where_the_evaluation_had_another_margin() -> None:
    paired = paired_verdict(Pairs(both=95, lost=2, won=0, neither=3), TOP_1, max_drop=0.5)
    found = replace(evaluation(accuracy=accuracy(95), reference=accuracy(97)), paired=paired)

    (verdict,) = judge_deployed(
        Budgets(accuracy_drop=0.021), size_bytes=1, host=None, measurement=None, evaluation=found
    )

    assert verdict.outcome is Outcome.INCONCLUSIVE
