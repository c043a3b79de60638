"""Comparison of a release's outputs with those that it must give."""

from __future__ import annotations

import array
import math
import struct
from typing import TYPE_CHECKING, Any

from device_agents.linux.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TYPECODES = {
    "bool": "B",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}


def compare(
    expected: list[tuple[dict[str, Any], bytes]], actual: list[tuple[dict[str, Any], bytes]], tolerance: dict[str, Any]
) -> float:
    """The greatest absolute difference, once it is known to be within the tolerance.

    Args:
        expected: golden tensors (`shape`, `dtype`) with their bytes.
        actual: the device's, in the model's order of outputs.
        tolerance: `{kind: "exact" | "abs", value}`; "exact" means the same bytes.

    Raises:
        AgentError: E_VERIFY with `max_abs_error` (None if it is no number) when the outputs are not the golden ones.
    """
    if len(expected) != len(actual):
        raise _mismatch(f"{len(actual)} outputs instead of {len(expected)}", None, tolerance)
    worst = 0.0
    for index, ((wanted, wanted_bytes), (given, given_bytes)) in enumerate(zip(expected, actual)):  # noqa: B905  # zip(strict=) came with Python 3.10
        if (wanted["dtype"], wanted["shape"]) != (given["dtype"], given["shape"]):
            raise _mismatch(
                f"output {index} is {given['dtype']} {given['shape']}, not {wanted['dtype']} {wanted['shape']}",
                None,
                tolerance,
            )
        if wanted_bytes != given_bytes:
            error = _max_abs_error(wanted["dtype"], wanted_bytes, given_bytes)
            if tolerance["kind"] == "exact" or not error <= tolerance["value"]:  # "not <=" also catches NaN
                reason = f"output {index} is off by {error:g}"
                raise _mismatch(reason, error if math.isfinite(error) else None, tolerance)
            worst = max(worst, error)
    return worst


def _max_abs_error(dtype: str, wanted: bytes, given: bytes) -> float:
    worst = 0.0
    for one, other in zip(_values(dtype, wanted), _values(dtype, given)):  # noqa: B905  # zip(strict=) came with Python 3.10
        if one != other and not (math.isnan(one) and math.isnan(other)):
            error = abs(one - other)
            if math.isnan(error):
                return math.nan
            worst = max(worst, error)
    return worst


def _values(dtype: str, raw: bytes) -> Sequence[float]:
    if dtype == "float16":
        return struct.unpack(f"<{len(raw) // 2}e", raw)
    return array.array(_TYPECODES[dtype], raw)  # every Linux that runs LiteRT is little-endian


def _mismatch(reason: str, error: float | None, tolerance: dict[str, Any]) -> AgentError:
    return AgentError(
        "E_VERIFY",
        f"the golden run failed: {reason}",
        "the runtime on this device computes something else; compare it with edgekit evaluate",
        max_abs_error=error,
        tolerance=tolerance,
    )
