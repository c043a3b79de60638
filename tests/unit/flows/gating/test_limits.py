"""Budgets: a figure passes or fails with its whole interval, and an emulator's never proves the machine."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.core.measurement import Measurement, Provenance, Validity
from edgekit.core.target import Budgets
from edgekit.core.verdict import Outcome, Verdict
from edgekit.flows.gating.findings import Finding
from edgekit.flows.gating.limits import budget_findings
from edgekit.flows.measured_document import profile_document
from tests.models.measured import measurement

MS = 1_000_000


def found(budgets: Budgets, measured: Measurement | None, profile: dict[str, Any] | None = None, **given) -> Finding:
    if profile is None:
        profile = {} if measured is None else profile_document(measured)
    facts = {"size_bytes": 1000, "drop": "no labelled evaluation set", **given}
    (finding,) = budget_findings(budgets, "pi", measurement=measured, profile=profile, **facts)
    return finding


def latency(**facts: Any) -> Measurement:
    return measurement([round(MS * (0.9 + 0.02 * number)) for number in range(10)], **facts)


@pytest.mark.parametrize(("limit", "outcome"), [(2 * MS, "pass"), (1_050_000, "inconclusive"), (MS // 2, "fail")])
def test_p90_is_held_with_its_interval(limit: int, outcome: str) -> None:
    finding = found(Budgets(latency_p90_ns=limit), latency())

    assert finding.check.outcome == outcome
    assert finding.check.baseline is None
    assert finding.check.limit == limit


@pytest.mark.parametrize(
    ("flags", "limit", "outcome"),
    [
        ([Validity.NOISY], MS // 2, "inconclusive"),
        ([Validity.THROTTLED], MS // 2, "inconclusive"),
        ([Validity.THROTTLED], 2 * MS, "pass"),
        ([Validity.INVALID], 2 * MS, "inconclusive"),
        ([Validity.SYNTHETIC], MS // 2, "fail"),
    ],
)
def test_disturbance_takes_a_failure_back_but_not_a_pass(flags: list[Validity], limit: int, outcome: str) -> None:
    assert found(Budgets(latency_p90_ns=limit), latency(flags=flags)).check.outcome == outcome


@pytest.mark.parametrize("budgets", [Budgets(latency_p90_ns=2 * MS), Budgets(ram_bytes=10**9)])
def test_emulated_figure_does_not_speak_of_the_machine(budgets: Budgets) -> None:
    finding = found(budgets, latency(provenance=Provenance.EMULATED))

    assert finding.check.outcome is Outcome.INCONCLUSIVE
    assert "does not speak of the machine" in finding.check.reason


def test_p90_of_too_few_calls_is_open_with_the_number_that_it_needs() -> None:
    finding = found(Budgets(latency_p90_ns=2 * MS), measurement([MS, MS]))

    assert finding.check.outcome is Outcome.INCONCLUSIVE
    assert finding.check.value is None
    assert "needs 64" in finding.check.reason


@pytest.mark.parametrize(("limit", "outcome"), [(11_000, "pass"), (9_000, "inconclusive")])
def test_calls_too_short_to_be_timed_alone_pass_by_their_mean(limit: int, outcome: str) -> None:
    profile = {
        "latency_ns": {"p90": None},
        "latency_ci95": {"p90": None},
        "latency_reasons": {"p90": "a sample is the mean of 1000 calls: it has no tail"},
        "mean_ns": {"value": 1000.0, "ci95": [990.0, 1010.0]},
    }

    finding = found(Budgets(latency_p90_ns=limit), latency(), profile)

    assert finding.check.outcome == outcome
    assert "mean of" in finding.check.reason


@pytest.mark.parametrize(
    ("limit", "outcome"), [(50_200_000, "pass"), (50_150_000, "inconclusive"), (49_000_000, "fail")]
)
def test_memory_is_held_with_its_range(limit: int, outcome: str) -> None:
    assert found(Budgets(ram_bytes=limit), latency()).check.outcome == outcome


def test_memory_that_was_not_measured_is_open_with_its_reason() -> None:
    finding = found(Budgets(ram_bytes=1), latency(peaks=()))

    assert finding.check.outcome is Outcome.INCONCLUSIVE
    assert "VmHWM" in finding.check.reason


@pytest.mark.parametrize(("limit", "outcome"), [(1000, "pass"), (999, "fail")])
def test_size_needs_no_measurement(limit: int, outcome: str) -> None:
    assert found(Budgets(flash_bytes=limit), None).check.outcome == outcome


def test_accuracy_is_the_verdict_on_the_drop_or_the_reason_why_there_is_none() -> None:
    budgets = Budgets(accuracy_drop=0.01)
    drop = Verdict(metric="accuracy_drop", value=0.002, limit=0.01, outcome=Outcome.PASS, reason="float minus artifact")

    judged, unknown = found(budgets, None, drop=drop), found(budgets, None)

    assert (judged.check.outcome, judged.check.value) == (Outcome.PASS, 0.002)
    assert (unknown.check.outcome, unknown.check.reason) == (Outcome.INCONCLUSIVE, "no labelled evaluation set")
