"""Asserts of a measurement: they hold with the whole interval, or tell value, interval and flags."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from edgekit.core.errors import UsageError
from edgekit.core.measurement import (
    Accuracy,
    Doubt,
    Evaluation,
    InstructionCount,
    Memory,
    Provenance,
    Score,
    Validity,
)
from edgekit.core.metric import TOP_1
from edgekit.core.paired import Pairs
from edgekit.core.paired_verdict import paired_verdict
from edgekit.flows.documents import evaluation_document
from edgekit.flows.measured_document import profile_document
from edgekit.pytest_plugin.results import EvaluationResult, InconclusiveError, ProfileResult
from tests.models.measurements import measurement

FIVE_MS = (4.8, 4.9, 5.0, 5.1, 5.2)


def result(medians_ms: tuple[float, ...] = FIVE_MS, **fields: Any) -> ProfileResult:
    found = measurement(medians_ms, **fields)
    return ProfileResult(document=profile_document(found), measurement=found)


def test_latency_within_the_limit_passes() -> None:
    result().assert_latency(p50_ms=6, p90_ms=6)


def test_latency_over_the_limit_tells_value_interval_and_flags() -> None:
    noisy = result(validity=(Validity.NOISY,), doubts=(Doubt(flag=Validity.NOISY, reason="something else ran"),))

    with pytest.raises(AssertionError) as caught:
        noisy.assert_latency(p90_ms=3)

    found = re.fullmatch(
        r"the p90 latency of bench-1 is (\S+) ms \(95 % interval (\S+) ms to (\S+) ms\); it has to be at most 3 ms "
        r"\[NOISY: something else ran\]",
        str(caught.value),
    )
    assert found is not None, caught.value
    value, low, high = map(float, found.groups())
    assert 3 < low <= value <= high < 6


def test_limit_within_the_interval_is_not_settled() -> None:
    with pytest.raises(InconclusiveError, match="does not settle whether it is at most 5 ms"):
        result().assert_latency(p50_ms=5.0)


def test_percentile_of_too_few_samples_says_how_many_it_needs() -> None:
    with pytest.raises(AssertionError, match="p99 latency of bench-1 is not known: needs 662 samples, there are 350"):
        result().assert_latency(p50_ms=100, p99_ms=100)


def test_one_process_is_held_by_its_value() -> None:
    alone = result((5.0,))

    alone.assert_latency(p50_ms=6)
    with pytest.raises(AssertionError, match=r"no 95 % interval: there was one process"):
        alone.assert_latency(p50_ms=4)


def test_invalid_measurement_decides_nothing_even_far_below_the_limit() -> None:
    invalid = result(validity=(Validity.INVALID,), doubts=(Doubt(flag=Validity.INVALID, reason="it swapped"),))

    with pytest.raises(InconclusiveError, match=r"decides nothing, the measurement is INVALID \[INVALID: it swapped\]"):
        invalid.assert_latency(p50_ms=1000)
    invalid.assert_memory(peak_mb=50)


@pytest.mark.parametrize("held", ["assert_latency", "assert_memory"])
def test_emulated_figure_is_an_error_unless_asked_for(held: str) -> None:
    emulated = result(provenance=Provenance.EMULATED, validity=(Validity.EMULATED,))
    limits = {"assert_latency": {"p50_ms": 6}, "assert_memory": {"peak_mb": 50}}[held]

    with pytest.raises(UsageError, match="is an emulator's and says nothing of the machine") as caught:
        getattr(emulated, held)(**limits)

    assert "emulated=True" in caught.value.__notes__[0]
    getattr(emulated, held)(**limits, emulated=True)
    with pytest.raises(AssertionError, match=r"\[EMULATED\]"):
        getattr(emulated, held)(**dict.fromkeys(limits, 1e-3), emulated=True)


def test_latency_without_a_limit_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="no limit"):
        result().assert_latency()


def test_largest_process_counts_for_the_memory() -> None:
    small, large = (Memory(baseline_rss_bytes=1, peak_rss_bytes=peak) for peak in (48_000_000, 52_000_000))
    weighed = result(memory=small, memories=(small, large))

    weighed.assert_memory(peak_mb=52)
    with pytest.raises(AssertionError, match=r"is 48.0 MB \(range 48.0 MB to 52.0 MB\); this does not settle whether"):
        weighed.assert_memory(peak_mb=50)
    with pytest.raises(AssertionError, match=r"it has to be at most 40\.0 MB"):
        weighed.assert_memory(peak_mb=40)


def test_memory_that_was_not_measured_says_why() -> None:
    with pytest.raises(AssertionError, match="is not known: no /proc there"):
        result(memory=None, memory_reason="no /proc there").assert_memory(peak_mb=1000)


def test_instructions_hold_on_an_emulated_device_too() -> None:
    counted = InstructionCount(value=1_000_000, low=1_000_000, high=1_000_000, calls=20, exact=True, source="qemu")
    emulated = result(instructions=counted, provenance=Provenance.EMULATED, validity=(Validity.EMULATED,))

    emulated.assert_instructions(at_most=1_000_000)
    with pytest.raises(AssertionError, match=r"is 1,000,000 .*20 calls, qemu\), the limit is 999,999 \[EMULATED\]"):
        emulated.assert_instructions(at_most=999_999)


def test_instructions_that_nobody_counted_say_why() -> None:
    with pytest.raises(AssertionError, match="is not known: it was not asked for"):
        result().assert_instructions(at_most=10)


def test_instructions_of_a_board_come_from_its_document() -> None:
    board = ProfileResult(
        document={"device": "qemu://b", "provenance": "emulated", "validity": [], "mcu": {"instructions": 500}},
        measurement=None,
    )

    board.assert_instructions(at_most=500)
    with pytest.raises(AssertionError, match="is 500, the limit is 499"):
        board.assert_instructions(at_most=499)


EVALUATION = Evaluation(
    device="bench-1",
    artifact_digest="a" * 64,
    dataset_digest="b" * 64,
    accuracy=Accuracy(correct=950, n=1000, low=0.935, high=0.962, provenance=Provenance.MEASURED),
    reference=None,
    agreement=None,
    identical_outputs=None,
    max_abs_difference=None,
    n=1000,
    seconds=1.0,
    provenance=Provenance.MEASURED,
)


def evaluated(**fields: Any) -> EvaluationResult:
    evaluation = replace(EVALUATION, **fields)
    return EvaluationResult(document=evaluation_document(evaluation), evaluation=evaluation)


def test_accuracy_holds_with_its_whole_interval() -> None:
    evaluated().assert_accuracy(at_least=0.93)
    with pytest.raises(AssertionError, match=r"is 0.95 \(95 % interval 0.935 to 0.962\); this does not settle whether"):
        evaluated().assert_accuracy(at_least=0.94)
    with pytest.raises(AssertionError, match=r"it has to be at least 0\.97"):
        evaluated().assert_accuracy(at_least=0.97)


def test_error_of_which_less_is_better_has_to_be_at_most_the_limit() -> None:
    score = Score(
        metric="mae", value=0.5, n=100, low=0.4, high=0.6, lower_is_better=True, is_share=False,
        provenance=Provenance.MEASURED,
    )  # fmt: skip

    evaluated(score=score).assert_accuracy(0.6)
    with pytest.raises(AssertionError, match=r"the mae of bench-1 is 0.5 .*at most 0.3"):
        evaluated(score=score).assert_accuracy(0.3)


def test_accuracy_of_data_without_labels_is_not_known() -> None:
    with pytest.raises(AssertionError, match="no labels"):
        evaluated(accuracy=None).assert_accuracy(0.5)


def test_drop_is_held_with_its_interval() -> None:
    lost_ten = paired_verdict(Pairs(both=940, lost=15, won=5, neither=40), TOP_1)

    evaluated(paired=lost_ten).assert_accuracy_drop(0.05)
    with pytest.raises(AssertionError, match=r"1,000 samples, is 0.01 \(95 % interval .* does not settle"):
        evaluated(paired=lost_ten).assert_accuracy_drop(0.01)
    with pytest.raises(AssertionError, match=r"it has to be at most -0\.02"):
        evaluated(paired=lost_ten).assert_accuracy_drop(-0.02)


def test_drop_without_a_reference_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="nothing was compared") as caught:
        evaluated().assert_accuracy_drop(0.01)

    assert "reference=" in caught.value.__notes__[0]


def test_results_are_short_in_pytest_s_output() -> None:
    assert repr(result()) == "<ProfileResult on bench-1: p50 5.03 ms>"
    assert repr(evaluated()) == "<EvaluationResult on bench-1: 1,000 samples>"
