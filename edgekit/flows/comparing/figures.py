"""Two measurements held against each other, as JSON: time, memory, instructions and operators."""

from __future__ import annotations

from statistics import median
from typing import Any

from edgekit.core.measurement import InstructionCount, Measurement, Validity
from edgekit.core.regression import Comparison
from edgekit.flows.operators import operator_rows

MEANING = {
    "slower": "b is slower than a",
    "faster": "b is faster than a",
    "same": "a and b are the same within the margin",
    "inconclusive": "not settled",
}


def latency_document(a: Measurement, b: Measurement, found: Comparison, *, one_session: bool) -> dict[str, Any]:
    """The ratio of the medians, b over a, and what is proven of it.

    Args:
        a, b: the measurements.
        found: of their process medians.
        one_session: both were measured in turn, not one after the other.
    """
    return {
        "ratio": found.ratio,
        "ci95": [found.low, found.high],
        "p_value": found.p_value,
        "margin": found.margin,
        "change": str(found.change),
        "n": list(found.n),
        "needed": found.needed,
        "power": found.power,
        "a_ns": _median_ns(a),
        "b_ns": _median_ns(b),
        "flags": flags(a, b),
        "one_session": one_session,
        "reason": _reason(found, one_session=one_session),
    }


def memory_document(a: Measurement, b: Measurement) -> dict[str, Any] | None:
    """Peaks of the resident size; None where one was not weighed."""
    if a.memory is None or b.memory is None:
        return None
    sides = {name: _peaks(side) for name, side in (("a", a), ("b", b))}
    ratio = median(sides["b"]) / median(sides["a"]) if median(sides["a"]) else None
    described = {
        name: {"peak_rss_bytes": median(peaks), "range": [min(peaks), max(peaks)], "n": len(peaks)}
        for name, peaks in sides.items()
    }
    return {**described, "ratio": ratio, "flags": flags(a, b)}


def instructions_document(a: InstructionCount | None, b: InstructionCount | None) -> dict[str, Any] | None:
    """Instructions of one call; None where one of them was not counted."""
    if a is None or b is None:
        return None
    return {"a": dict(vars(a)), "b": dict(vars(b)), "ratio": b.value / a.value if a.value else None}


def operators_document(a: Measurement, b: Measurement) -> list[dict[str, Any]]:
    """Operators of both in the order in which they run; empty where one was not profiled."""
    return operator_rows(a, b)


def flags(a: Measurement, b: Measurement) -> list[str]:
    """What speaks against either of them."""
    return sorted({str(flag) for flag in (*a.validity, *b.validity) if flag is not Validity.VALID})


def _reason(found: Comparison, *, one_session: bool) -> str:
    change = f"{found.ratio - 1:+.1%} ({found.low - 1:+.1%} to {found.high - 1:+.1%})"
    said = f"{MEANING[str(found.change)]}: {change}, p {found.p_value:.2g}, margin {found.margin:.1%}"
    if found.change == "inconclusive":
        more = f"about {found.needed} processes a side" if found.needed else "no number of processes settles it"
        said = f"{said}; {more}"
    return said if one_session else f"{said}; two sessions, confirm with edgekit compare A B --device NAME"


def _peaks(measurement: Measurement) -> list[int]:
    weighed = measurement.memories or (() if measurement.memory is None else (measurement.memory,))
    return [memory.peak_rss_bytes for memory in weighed]


def _median_ns(measurement: Measurement) -> float | None:
    medians = [median(run.samples_ns) for run in measurement.runs if run.samples_ns]
    return float(median(medians)) if medians else None
