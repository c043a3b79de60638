"""Paired verdicts and the accuracy of classes as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.core.class_accuracy import ClassAccuracy
    from edgekit.core.paired_verdict import PairedVerdict
    from edgekit.core.statistics import Interval


def paired_document(found: PairedVerdict | None) -> dict[str, Any] | None:
    """What was lost against another model on the same samples; `b` and `c` are the samples lost and won."""
    if found is None:
        return None
    return {
        "metric": found.metric,
        "n": found.n,
        "drop": found.drop.value,
        "ci95": _ends(found.drop),
        "b": found.lost,
        "c": found.won,
        "mcnemar_p": found.p_value,
        "max_drop": found.max_drop,
        "confidence": found.confidence,
        "outcome": None if found.outcome is None else str(found.outcome),
        "needed": found.needed,
        "reason": found.reason,
    }


def class_document(found: ClassAccuracy) -> dict[str, Any]:
    """One class; what was lost is null where nothing was there to compare with."""
    document = {
        "label": found.label,
        "name": found.name,
        "n": found.n,
        "correct": found.correct,
        "value": found.interval.value,
        "ci95": _ends(found.interval),
        **dict.fromkeys(("reference", "drop", "drop_ci95", "b", "c", "mcnemar_p", "is_worse")),
    }
    if found.loss is None:
        return document
    loss = found.loss
    return document | {
        "reference": loss.reference,
        "drop": loss.drop.value,
        "drop_ci95": _ends(loss.drop),
        "b": loss.lost,
        "c": loss.won,
        "mcnemar_p": loss.p_value,
        "is_worse": loss.is_worse,
    }


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
