"""Sigmoid and tanh of int16 values: the table and the scaling of its argument (TFLite's integer_ops/logistic.h)."""

from __future__ import annotations

import math

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant

Params = dict[str, int | Constant | None]
_STEP = 1 / (3 * 4096)  # of the table's argument, real units


def curve(node: Node, scale: float, *, shifts: tuple[int, ...]) -> Params:
    """The fields of a `struct ek_curve` named `curve` for inputs of this scale.

    Args:
        node: for errors.
        scale: real value of one step of the input.
        shifts: the powers of two above 2**-12 that TFLite takes without rounding: 0, for tanh 1 as well.

    Raises:
        UnsupportedError: a scale too large for 16-bit multipliers.
    """
    power = round(math.log2(scale))
    if abs(math.log2(scale) - power) < 1e-3 and power + 12 in shifts:
        return fields(3 << (power + 12), 0)
    factor, shift = scale / _STEP, 0
    if factor > 32767:
        raise node.refuse(f"has the scale {scale:.3g}; the table takes less than {32767 * _STEP:.3g}")
    while factor <= 32767 / 2 and shift <= 30:
        factor, shift = factor * 2, shift + 1
    return fields(int(factor), shift)


def fields(multiplier: int, shift: int) -> Params:
    """The fields of a `struct ek_curve` named `curve`."""
    return {"curve.table": Constant(array=_table()), "curve.multiplier": multiplier, "curve.shift": shift}


def _table() -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """The sigmoid table of TFLite as Q0.16: the curve at i / 24, i = 0 ... 255, raised for straight lines between.

    Lines between points of the curve lie below it, by step**2 / 8 of its second derivative at most; TFLite's points are
    raised by half of that. Its last one is 1.
    """
    x = np.arange(256) / 24
    sigmoid = 1 / (1 + np.exp(-x))
    bend = sigmoid * (1 - sigmoid) * (1 - 2 * sigmoid)
    table = np.floor(65536 * (sigmoid - bend / 24**2 / 16) + 0.5)
    table[-1] = 65535
    return table.astype(np.uint16)
