"""A build against its baseline: what is proven fails, what is proven to be within the limit passes, else it is open."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.answers import Answers
from edgekit.core.bootstrap import RESAMPLES, Replicates
from edgekit.core.gate import Kind
from edgekit.core.measurement import InstructionCount, Memory, Provenance, Validity
from edgekit.core.verdict import Outcome
from edgekit.flows.gating.regressions import (
    accuracy_finding,
    instructions_finding,
    latency_finding,
    memory_finding,
    size_finding,
)
from edgekit.flows.measuring.pair import Pair
from tests.models.measured import answers, exact, measurement, medians, pair

FIRST = measurement(medians(1_000_000))


def slowed(factor: float, **facts: object):
    return measurement(medians(round(1_000_000 * factor), seed=1), **facts)


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [(1.0, Outcome.PASS), (0.7, Outcome.PASS), (1.01, Outcome.PASS), (1.2, Outcome.FAIL), (1.06, Outcome.FAIL)],
)
def test_latency_fails_when_it_is_proven_to_be_slower_than_the_margin(factor: float, outcome: Outcome) -> None:
    found = latency_finding(pair(FIRST, slowed(factor)), "pi", None)

    assert found.check.outcome is outcome
    assert found.kind is Kind.REGRESSION
    assert found.check.limit == pytest.approx(found.check.baseline * 1.03)
    assert found.p_value is not None


def test_latency_with_seven_processes_at_least_needs_no_more_words() -> None:
    few = pair(measurement(medians(10**6, n=5)), measurement(medians(2 * 10**6, n=5)))

    found = latency_finding(few, "pi", None)

    assert found.check.outcome is Outcome.INCONCLUSIVE
    assert "needs 7 a side" in found.check.reason


def test_latency_within_what_is_allowed_passes_although_it_is_slower() -> None:
    slower = pair(FIRST, slowed(1.1))

    assert latency_finding(slower, "pi", None).check.outcome is Outcome.FAIL
    assert latency_finding(slower, "pi", 0.2).check.outcome is Outcome.PASS


def test_latency_at_what_is_allowed_is_open() -> None:
    found = latency_finding(pair(FIRST, slowed(1.105)), "pi", 0.11)

    assert found.check.outcome is Outcome.INCONCLUSIVE
    assert "too near to what is allowed" in found.check.reason


def test_allowance_below_the_devices_margin_is_the_margin() -> None:
    found = latency_finding(pair(FIRST, slowed(1.03), margin=0.05), "pi", 0.01)

    assert found.check.outcome is Outcome.PASS
    assert found.check.limit == pytest.approx(found.check.baseline * 1.05)


def test_latency_on_a_device_too_noisy_to_call_anything_the_same_is_open_unless_that_is_allowed() -> None:
    noisy = pair(FIRST, slowed(1.0), margin=0.3)

    assert latency_finding(noisy, "pi", None).check.outcome is Outcome.INCONCLUSIVE
    assert "too noisy" in latency_finding(noisy, "pi", None).check.reason
    assert latency_finding(noisy, "pi", 0.4).check.outcome is Outcome.PASS


@pytest.mark.parametrize("flag", [Validity.THROTTLED, Validity.UNSTEADY, Validity.INVALID])
def test_slower_while_the_machine_was_held_back_is_open(flag: Validity) -> None:
    found = latency_finding(pair(FIRST, slowed(1.5, flags=[flag])), "pi", None)

    assert found.check.outcome is Outcome.INCONCLUSIVE
    assert str(flag) in found.check.reason
    assert flag in found.flags


def test_latency_without_a_comparison_is_open_with_its_reason() -> None:
    found = latency_finding(
        Pair(first=FIRST, second=slowed(1.0), comparison=None, reason="the processes vary by 15 %"), "pi", None
    )

    assert found.check.outcome is Outcome.INCONCLUSIVE
    assert found.check.reason == "the processes vary by 15 %"
    assert found.p_value is None


def test_latency_of_an_emulated_pair_is_judged_and_says_so() -> None:
    emulated = pair(FIRST, slowed(1.2, flags=[Validity.EMULATED], provenance=Provenance.EMULATED))

    found = latency_finding(emulated, "pi", None)

    assert found.check.outcome is Outcome.FAIL
    assert "EMULATED" in found.check.reason


@pytest.mark.parametrize(("after", "outcome"), [(1_000_000, "pass"), (1_010_000, "pass"), (1_010_001, "fail")])
def test_exact_instructions_are_held_to_the_limit_itself(after: int, outcome: str) -> None:
    found = instructions_finding(exact(1_000_000), exact(after), "pi", 0.01)

    assert found is not None
    assert found.check.outcome == outcome
    assert found.p_value is None


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(995_000, 1_009_000, "pass"), (1_000_000, 1_050_000, "inconclusive"), (1_060_000, 1_090_000, "fail")],
)
def test_counted_instructions_are_held_with_their_range(low: int, high: int, outcome: str) -> None:
    before = InstructionCount(value=1_000_000, low=990_000, high=1_020_000, calls=9, exact=False, source="perf")
    after = InstructionCount(value=(low + high) // 2, low=low, high=high, calls=9, exact=False, source="perf")

    found = instructions_finding(before, after, "pi", 0.01)

    assert found is not None
    assert found.check.outcome == outcome


def test_instructions_that_nobody_counted_make_no_check() -> None:
    assert instructions_finding(None, exact(1), "pi", 0.01) is None
    assert instructions_finding(exact(1), None, "pi", 0.01) is None


def weighed(*peaks: int) -> list[Memory]:
    return [Memory(baseline_rss_bytes=1, peak_rss_bytes=peak) for peak in peaks]


@pytest.mark.parametrize(
    ("after", "outcome"), [((102, 101, 100), "pass"), ((102, 104, 104), "inconclusive"), ((108, 109, 110), "fail")]
)
def test_memory_is_held_with_the_range_of_the_processes_that_were_weighed(after: tuple[int, ...], outcome: str) -> None:
    found = memory_finding(weighed(99, 100, 101), weighed(*after), "pi", 0.03, provenance=Provenance.MEASURED)

    assert found.check.outcome == outcome


def test_memory_that_was_not_measured_is_open() -> None:
    found = memory_finding(weighed(1), [], "pi", 0.03, provenance=Provenance.EMULATED)

    assert found.check.outcome is Outcome.INCONCLUSIVE
    assert found.check.value is None
    assert found.flags == (Validity.EMULATED,)


@pytest.mark.parametrize(("after", "outcome"), [(90, "pass"), (101, "pass"), (102, "fail")])
def test_size_is_exact(after: int, outcome: str) -> None:
    assert size_finding(100, after, "pi", 0.01).check.outcome == outcome


@pytest.mark.parametrize(
    ("right", "outcome", "says"),
    [(940, "pass", "allowed 1.00 points"), (700, "fail", "lost 24.00 points"), (920, "fail", "lost 2.00 points")],
)
def test_accuracy_is_non_inferiority_on_the_same_samples(right: int, outcome: str, says: str) -> None:
    found = accuracy_finding(answers(940, 60), answers(right, 1000 - right), "pi", 0.01)

    assert found.check.outcome == outcome
    assert says in found.check.reason
    assert found.check.limit == pytest.approx(0.93)


def test_accuracy_that_seems_lower_without_proof_is_open() -> None:
    before, after = answers(940, 60), answers(940, 60)
    assert after.right is not None
    after.right[:30], after.right[940:958] = False, True

    found = accuracy_finding(before, after, "pi", 0.01)

    assert found.check.outcome is Outcome.INCONCLUSIVE
    assert found.p_value == pytest.approx(0.11, abs=0.05)


def test_accuracy_of_too_few_samples_is_open_and_says_how_many_it_needs() -> None:
    found = accuracy_finding(answers(95, 5), answers(95, 5), "pi", 0.01)

    assert found.check.outcome is Outcome.INCONCLUSIVE
    assert "needs n >= " in found.check.reason


def test_same_file_with_equal_answers_needs_no_proof() -> None:
    found = accuracy_finding(answers(95, 5), answers(95, 5), "pi", 0.01, same_file=True)

    assert found.check.outcome is Outcome.PASS


def test_error_that_grew_fails_by_its_resamples() -> None:
    def errors(value: float, seed: int) -> Answers:
        values = np.random.default_rng(seed).normal(value, 0.01, RESAMPLES)
        found = Replicates(value=value, values=values, n=1000, lower_is_better=True, is_share=False)
        return Answers(metric="mae", dataset_digest="d" * 64, replicates=found)

    worse = accuracy_finding(errors(1.0, 0), errors(1.5, 1), "pi", 0.1)
    same = accuracy_finding(errors(1.0, 0), errors(1.0, 0), "pi", 0.1)

    assert worse.check.outcome is Outcome.FAIL
    assert worse.check.limit == pytest.approx(1.1)
    assert worse.p_value is None
    assert same.check.outcome is Outcome.PASS
