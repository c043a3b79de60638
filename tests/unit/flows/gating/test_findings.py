"""Several tests taken together, and what counts of them."""

from __future__ import annotations

import pytest

from edgekit.core.errors import ConfigurationError
from edgekit.core.gate import FailOn, Kind
from edgekit.core.measurement import Validity
from edgekit.core.verdict import Check, Outcome
from edgekit.flows.gating.findings import Finding, corrected, counted_outcome, finding_document, verdict


def finding(
    outcome: Outcome, *, metric: str = "latency_ns", kind: Kind = Kind.REGRESSION, p_value: float | None = None,
    flags: tuple[Validity, ...] = (),
) -> Finding:  # fmt: skip
    check = Check(metric=metric, device="pi", value=1.0, baseline=1.0, limit=1.0, outcome=outcome, reason="because")
    return Finding(kind=kind, check=check, p_value=p_value, flags=flags)


PASS, FAIL, OPEN = (finding(outcome) for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE))


def test_failure_that_stands_alone_does_not_stand_among_many_tests() -> None:
    barely, sure = finding(Outcome.FAIL, p_value=0.009), finding(Outcome.FAIL, p_value=1e-6)
    others = [finding(Outcome.PASS, p_value=0.5) for _ in range(3)]

    alone = corrected([barely])
    among = corrected([sure, *others, barely])

    assert alone[0].check.outcome is Outcome.FAIL
    assert among[0].check.outcome is Outcome.FAIL
    assert among[-1].check.outcome is Outcome.INCONCLUSIVE
    assert "among 5 tests" in among[-1].check.reason


def test_exact_failure_is_never_taken_back() -> None:
    size = finding(Outcome.FAIL, metric="flash_bytes")

    assert corrected([size, *(finding(Outcome.PASS, p_value=1.0) for _ in range(9))])[0] is size


@pytest.mark.parametrize(
    ("findings", "outcome"),
    [([PASS], "pass"), ([PASS, OPEN], "inconclusive"), ([OPEN, FAIL, PASS], "fail"), ([], "inconclusive")],
)
def test_verdict_is_the_worst_and_a_gate_without_checks_is_open(findings: list[Finding], outcome: str) -> None:
    assert verdict(findings, FailOn()) == outcome


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        (["regression"], "fail"),
        (["budget"], "pass"),
        (["latency_ns"], "fail"),
        (["flash_bytes"], "pass"),
        (["instructions"], "inconclusive"),
        (["inconclusive", "budget"], "pass"),
    ],
)
def test_rules_choose_what_counts(rules: list[str], outcome: str) -> None:
    findings = [FAIL, finding(Outcome.PASS, metric="flash_bytes", kind=Kind.BUDGET)]

    assert verdict(findings, FailOn.parse(rules)) == outcome


def test_no_rule_leaves_out_a_device_that_could_not_be_asked() -> None:
    silent = finding(Outcome.INCONCLUSIVE, metric="device", kind=Kind.BUDGET)

    assert verdict([PASS, silent], FailOn.parse(["latency_ns"])) is Outcome.INCONCLUSIVE


def test_open_counts_as_failed_when_that_is_asked_for() -> None:
    assert verdict([PASS, OPEN], FailOn.parse(["inconclusive"])) is Outcome.FAIL


@pytest.mark.parametrize("flag", [Validity.NOISY, Validity.THROTTLED, Validity.UNSTEADY])
def test_disturbed_counts_as_failed_when_that_is_asked_for(flag: Validity) -> None:
    disturbed = finding(Outcome.PASS, flags=(flag,))

    assert verdict([disturbed], FailOn()) is Outcome.PASS
    assert verdict([disturbed], FailOn.parse(["noisy"])) is Outcome.FAIL
    assert counted_outcome(finding(Outcome.PASS, flags=(Validity.EMULATED,)), FailOn.parse(["noisy"])) == "pass"


def test_document_says_what_a_check_counts_as() -> None:
    document = finding_document(finding(Outcome.FAIL, flags=(Validity.NOISY,), p_value=0.001), FailOn.parse(["budget"]))

    assert document["counts_as"] is None
    assert document["outcome"] == "fail"
    assert document["kind"] == "regression"
    assert document["flags"] == ["NOISY"]
    assert document["p_value"] == 0.001


def test_unknown_rule_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match="'regresion'") as raised:
        FailOn.parse(["regresion"])

    assert raised.value.hint == "did you mean 'regression'?"
