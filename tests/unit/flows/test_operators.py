"""The operators of two measurements side by side."""

from __future__ import annotations

from typing import Any

import pytest

from edgekit.core.measurement import Measurement, OperatorRun, Plan, Provenance
from edgekit.flows.operators import operator_rows, operators_of_layers


def measured(*operators: OperatorRun) -> Measurement:
    return Measurement(
        device="pi", artifact_digest="0" * 64, plan=Plan(runtime="litert"), runs=(), memory=None, memory_reason=None,
        provenance=Provenance.MEASURED, validity=(), environment={}, operators=operators,
    )  # fmt: skip


def timed(name: str, op: str, *ns: int) -> OperatorRun:
    return OperatorRun(name=name, op=op, ns=ns)


def briefly(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["op"], row["a_ns"], row["b_ns"], row["ratio"]) for row in rows]


def test_same_operators_are_pairs_whatever_their_types() -> None:
    a = measured(timed("c0", "Convolution (NHWC, F32) IGEMM", 100, 120, 110), timed("s", "Softmax (NC, F32)", 4))
    b = measured(timed("c0", "Convolution (NHWC, QC8) IGEMM", 55), timed("s", "Softmax (NC, F32)", 0))

    rows = operator_rows(a, b)

    assert briefly(rows) == [("Convolution (NHWC, QC8) IGEMM", 110, 55, 0.5), ("Softmax (NC, F32)", 4, 0, 0.0)]


def test_operator_of_one_side_stands_alone_in_its_place() -> None:
    a = measured(timed("c", "CONV_2D", 10), timed("p", "PAD", 3), timed("d", "FULLY_CONNECTED", 5))
    b = measured(timed("c", "CONV_2D", 10), timed("d", "FULLY_CONNECTED", 10), timed("q", "QUANTIZE", 1))

    rows = operator_rows(a, b)

    assert briefly(rows) == [
        ("CONV_2D", 10, 10, 1.0),
        ("PAD", 3, None, None),
        ("FULLY_CONNECTED", 5, 10, 2.0),
        ("QUANTIZE", None, 1, None),
    ]


def test_ratio_is_that_of_instructions_where_nothing_was_timed() -> None:
    a = measured(OperatorRun(name="0", op="CONV_2D", instructions=1000))
    b = measured(OperatorRun(name="0", op="CONV_2D", instructions=1500))

    (row,) = operator_rows(a, b)

    assert (row["ratio"], row["a_instructions"], row["b_instructions"]) == (1.5, 1000, 1500)
    assert row["a_ns"] is None


def test_time_that_rounds_to_nothing_has_no_ratio() -> None:
    (row,) = operator_rows(measured(timed("r", "RESHAPE", 0)), measured(timed("r", "RESHAPE", 2)))

    assert row["ratio"] is None


def test_side_that_was_not_profiled_gives_no_rows() -> None:
    assert operator_rows(measured(), measured(timed("c", "CONV_2D", 1))) == []


def test_layers_of_an_image_are_operators_with_their_share() -> None:
    rows = operators_of_layers([{"name": "0 CONV_2D", "instructions": 300}, {"name": "1 SOFTMAX", "instructions": 100}])

    assert [(row["name"], row["op"], row["ns"], row["instructions"]) for row in rows] == [
        ("0 CONV_2D", "CONV_2D", None, 300),
        ("1 SOFTMAX", "SOFTMAX", None, 100),
    ]
    assert [row["share"] for row in rows] == [pytest.approx(0.75), pytest.approx(0.25)]
