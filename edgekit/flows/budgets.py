"""Budgets: what was found held against what is allowed; a number of an emulator is no proof of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.core.measurement import Accuracy, Evaluation, Measurement, Provenance, Score, Validity
from edgekit.core.metric import TOP_1
from edgekit.core.paired_verdict import PairedVerdict
from edgekit.core.statistics import early_stopping_percentile
from edgekit.core.target import Budgets
from edgekit.core.verdict import Outcome, Verdict


def judge(
    budgets: Budgets,
    *,
    size_bytes: int,
    reference: Accuracy | Score | None,
    accuracy: Accuracy | Score | None,
    measurement: Measurement | None,
    paired: PairedVerdict | None = None,
    one_class: bool = False,
) -> tuple[Verdict, ...]:
    """One verdict for each budget that is set.

    Args:
        budgets: the limits; that of the accuracy is held against the metric that was asked for.
        size_bytes: of the artifact.
        reference: accuracy of the float model, or its metric where another one than top-1 was asked for.
        accuracy: the same of the artifact, best from the device.
        measurement: from the device.
        paired: what was lost against the float model on the same samples; its bound decides where it is known.
        one_class: all samples are of one class, so that right answers settle nothing.
    """
    found = _verdicts(budgets, size_bytes, reference, accuracy, measurement, paired)
    return tuple(_open(each) if one_class and each.metric.endswith("_drop") else each for each in found)


def judge_deployed(
    budgets: Budgets,
    *,
    size_bytes: int,
    host: Accuracy | Score | None,
    measurement: Measurement | None,
    evaluation: Evaluation | None,
) -> tuple[Verdict, ...]:
    """As `judge`, with the device's answers in the place of this computer's where there are some."""
    return judge(
        budgets,
        size_bytes=size_bytes,
        reference=(evaluation.reference_score or evaluation.reference) if evaluation else None,
        accuracy=((evaluation.score or evaluation.accuracy) if evaluation else None) or host,
        measurement=measurement,
        paired=evaluation.paired if evaluation else None,
        one_class=evaluation is not None and len(evaluation.per_class) == 1,
    )


def _verdicts(
    budgets: Budgets,
    size_bytes: int,
    reference: Accuracy | Score | None,
    accuracy: Accuracy | Score | None,
    measurement: Measurement | None,
    paired: PairedVerdict | None,
) -> Iterator[Verdict]:
    if budgets.flash_bytes is not None:
        yield _held("flash_bytes", size_bytes, budgets.flash_bytes, "size of the artifact's file")
    if budgets.accuracy_drop is not None:
        limit = budgets.accuracy_drop
        yield _drop(reference, accuracy, limit) if paired is None else _proven_drop(paired, limit)
    emulated = measurement is not None and measurement.provenance is not Provenance.MEASURED
    if budgets.ram_bytes is not None:
        memory = measurement.memory if measurement else None
        yield _held(
            "ram_bytes", memory.peak_rss_bytes if memory else None, budgets.ram_bytes, "peak resident size", emulated
        )
    if budgets.latency_p90_ns is not None:
        yield _latency(measurement, budgets.latency_p90_ns, emulated)


def _latency(measurement: Measurement | None, limit: float, emulated: bool) -> Verdict:
    samples = [time for run in measurement.runs for time in run.samples_ns] if measurement else []
    held = _held("latency_p90_ns", early_stopping_percentile(samples, 90.0), limit, "p90 of all calls", emulated)
    if measurement is None or Validity.INVALID not in measurement.validity:
        return held
    return replace(held, outcome=Outcome.INCONCLUSIVE, reason=f"{held.reason}, measured INVALID: the processes differ")


def _drop(reference: Accuracy | Score | None, accuracy: Accuracy | Score | None, limit: float) -> Verdict:
    if reference is None or accuracy is None or isinstance(reference, Score) != isinstance(accuracy, Score):
        return _held("accuracy_drop", None, limit, "no labelled evaluation set")
    drop = reference.value - accuracy.value
    if not isinstance(accuracy, Score):
        return _held("accuracy_drop", drop, limit, "float model minus artifact on the same samples")
    why = f"{accuracy.metric}, artifact worse than the float model on the same samples"
    return _held("metric_drop", -drop if accuracy.lower_is_better else drop, limit, why)


def _proven_drop(paired: PairedVerdict, limit: float) -> Verdict:
    """Within the budget when the bound is, beyond it when the drop itself is, else open (edgekit-bench/1, D14)."""
    if paired.max_drop == limit and paired.outcome is not None:
        outcome = paired.outcome
    elif paired.drop.value > limit:
        outcome = Outcome.FAIL
    else:
        outcome = Outcome.PASS if paired.drop.high <= limit else Outcome.INCONCLUSIVE
    name = "accuracy_drop" if paired.metric == TOP_1.name else "metric_drop"
    return Verdict(metric=name, value=paired.drop.value, limit=limit, outcome=outcome, reason=paired.reason)


def _open(verdict: Verdict) -> Verdict:
    return replace(
        verdict,
        outcome=Outcome.INCONCLUSIVE,
        reason=f"{verdict.reason}; all samples are of one class, which settles nothing",
    )


def _held(metric: str, value: float | None, limit: float, reason: str, emulated: bool = False) -> Verdict:
    if value is None:
        outcome, reason = Outcome.INCONCLUSIVE, f"not measured: {reason}"
    elif emulated:
        outcome, reason = Outcome.INCONCLUSIVE, f"{reason}, in an emulator: it does not speak of the machine"
    else:
        outcome = Outcome.PASS if value <= limit else Outcome.FAIL
    return Verdict(metric=metric, value=value, limit=limit, outcome=outcome, reason=reason)
