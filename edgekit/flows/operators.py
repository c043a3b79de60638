"""What the operators of a model cost: those of a board's image, and those of two measurements side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from statistics import median
from typing import Any

from edgekit.core.measurement import Measurement, OperatorRun


def operators_of_layers(layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The layers of an image as `operators` of a profile document: counted, never timed.

    Args:
        layers: `name` ("3 CONV_2D") and `instructions` of each, as in the part `mcu` of a document.
    """
    whole = sum(layer["instructions"] or 0 for layer in layers)
    return [
        {
            "name": layer["name"],
            "op": layer["name"].partition(" ")[2] or layer["name"],
            "ns": None,
            "share": layer["instructions"] / whole if whole and layer["instructions"] is not None else None,
            "instructions": layer["instructions"],
        }
        for layer in layers
    ]


def operator_rows(a: Measurement, b: Measurement) -> list[dict[str, Any]]:
    """The operators of two measurements side by side, in the order in which they run.

    Both are sequences of kinds of operators; the longest common parts are pairs, what lies between is in one of them
    only. Names cannot decide: another recipe, or another runtime's merging of nodes, changes them.

    Returns:
        `{name, op, a_ns, b_ns, ratio, a_instructions, b_instructions}`: medians over processes, b : a; None where one
        side has no such operator, or no time. Empty where one was not profiled.
    """
    if not a.operators or not b.operators:
        return []
    kinds_a, kinds_b = ([_kind(one) for one in side.operators] for side in (a, b))
    matcher = SequenceMatcher(None, kinds_a, kinds_b, autojunk=False)
    rows = []
    for tag, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if tag == "equal":
            pairs = zip(a.operators[a_start:a_end], b.operators[b_start:b_end], strict=True)
            rows += [_row(one, other) for one, other in pairs]
        else:
            rows += [_row(one, None) for one in a.operators[a_start:a_end]]
            rows += [_row(None, other) for other in b.operators[b_start:b_end]]
    return rows


def _kind(operator: OperatorRun) -> str:
    """The kind without its numeric types: "Convolution (NHWC, QC8) IGEMM" is a "Convolution"."""
    return operator.op.partition(" (")[0]


def _row(a: OperatorRun | None, b: OperatorRun | None) -> dict[str, Any]:
    named = b or a
    assert named is not None  # one of them is there
    a_ns, b_ns = (median(one.ns) if one is not None and one.ns else None for one in (a, b))
    a_count, b_count = (None if one is None else one.instructions for one in (a, b))
    ratio = _ratio(a_ns, b_ns)
    return {
        "name": named.name,
        "op": named.op,
        "a_ns": a_ns,
        "b_ns": b_ns,
        "ratio": _ratio(a_count, b_count) if ratio is None else ratio,
        "a_instructions": a_count,
        "b_instructions": b_count,
    }


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if not a or b is None else b / a
