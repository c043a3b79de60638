"""Budgets: what was found held against what is allowed; a number of an emulator is no proof of the machine."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.core.measurement import Accuracy, Evaluation, Measurement, Provenance
from edgekit.core.statistics import percentile
from edgekit.core.target import Budgets
from edgekit.core.verdict import Outcome, Verdict


def judge(
    budgets: Budgets,
    *,
    size_bytes: int,
    reference: Accuracy | None,
    accuracy: Accuracy | None,
    measurement: Measurement | None,
) -> tuple[Verdict, ...]:
    """One verdict for each budget that is set.

    Args:
        budgets: the limits.
        size_bytes: of the artifact.
        reference: accuracy of the float model.
        accuracy: of the artifact, best from the device.
        measurement: from the device.
    """
    return tuple(_verdicts(budgets, size_bytes, reference, accuracy, measurement))


def judge_deployed(
    budgets: Budgets,
    *,
    size_bytes: int,
    host: Accuracy | None,
    measurement: Measurement | None,
    evaluation: Evaluation | None,
) -> tuple[Verdict, ...]:
    """As `judge`, with the device's accuracy in the place of this computer's where there is one."""
    return judge(
        budgets,
        size_bytes=size_bytes,
        reference=evaluation.reference if evaluation else None,
        accuracy=(evaluation.accuracy if evaluation else None) or host,
        measurement=measurement,
    )


def _verdicts(
    budgets: Budgets,
    size_bytes: int,
    reference: Accuracy | None,
    accuracy: Accuracy | None,
    measurement: Measurement | None,
) -> Iterator[Verdict]:
    if budgets.flash_bytes is not None:
        yield _held("flash_bytes", size_bytes, budgets.flash_bytes, "size of the artifact's file")
    if budgets.accuracy_drop is not None:
        drop = None if reference is None or accuracy is None else reference.value - accuracy.value
        why = "float model minus artifact on the same samples" if drop is not None else "no labelled evaluation set"
        yield _held("accuracy_drop", drop, budgets.accuracy_drop, why)
    emulated = measurement is not None and measurement.provenance is not Provenance.MEASURED
    if budgets.ram_bytes is not None:
        memory = measurement.memory if measurement else None
        yield _held(
            "ram_bytes", memory.peak_rss_bytes if memory else None, budgets.ram_bytes, "peak resident size", emulated
        )
    if budgets.latency_p90_ns is not None:
        samples = [time for run in measurement.runs for time in run.samples_ns] if measurement else []
        yield _held("latency_p90_ns", percentile(samples, 90.0), budgets.latency_p90_ns, "p90 of all calls", emulated)


def _held(metric: str, value: float | None, limit: float, reason: str, emulated: bool = False) -> Verdict:
    if value is None:
        outcome, reason = Outcome.INCONCLUSIVE, f"not measured: {reason}"
    elif emulated:
        outcome, reason = Outcome.INCONCLUSIVE, f"{reason}, in an emulator: it does not speak of the machine"
    else:
        outcome = Outcome.PASS if value <= limit else Outcome.FAIL
    return Verdict(metric=metric, value=value, limit=limit, outcome=outcome, reason=reason)
