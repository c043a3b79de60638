"""SOFTMAX: powers of e from a table, times the reciprocal of their sum.

TFLite's reference kernels: int8 inputs with sums in Q12.19 and the reciprocal in fixed point (gemmlowp), int16 inputs
with two tables of 513 values and straight lines between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.mcu.fixed_point import doubling_high_mul, exp_of_negative, quantize_multiplier
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._base import Lower

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIFFERENCE_BITS = 5
_SUM_LIMIT, _INT16_SUM_LIMIT = 2**12 - 1, 2**16
_OUTPUTS = {"int8": (-128, 1 / 256), "int16": (-32768, 1 / 65536)}


def _softmax(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if given.elements != made.elements:
        raise node.refuse(f"turns {given.elements} values into {made.elements}")
    if (given.dtype, made.dtype) == ("int16", "int16"):
        return _of_int16(node)
    if given.dtype != "int8" or made.dtype not in _OUTPUTS:
        raise node.refuse(f"computes {given.dtype} -> {made.dtype}; the kernels take int8 or int16, or int8 -> int16")
    zero_point, scale = _OUTPUTS[made.dtype]
    if made.zero_point != zero_point or not math.isclose(made.scale, scale, rel_tol=1e-3):
        raise node.refuse(f"has the output scale {made.scale} and zero point {made.zero_point}")
    depth = given.shape[-1]
    if depth > _SUM_LIMIT:
        raise node.refuse(f"sums {depth} values; the sum has room for {_SUM_LIMIT}")
    item = made.size_bytes // made.elements
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"softmax_s8_s{8 * item}" if item > 1 else "softmax_s8",
            params={
                "powers": Constant(array=_powers(node.options.number(0), given.scale)),
                "rows": given.elements // depth,
                "depth": depth,
            },
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0, distance=(given.elements - 1) * (item - 1)),),
        )
    ]


def _of_int16(node: Node) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if made.zero_point or not math.isclose(made.scale, 2.0**-15, rel_tol=1e-3):
        raise node.refuse(f"has the output scale {made.scale} and zero point {made.zero_point}")
    if given.shape[-1] > _INT16_SUM_LIMIT:
        raise node.refuse(f"sums {given.shape[-1]} values; the sum has room for {_INT16_SUM_LIMIT}")
    multiplier, shift = quantize_multiplier(given.scale * node.options.number(0) / (10 / 65535))
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel="softmax_s16",
            params={
                "power": Constant(array=_table(np.exp, -10, 0)),
                "quotient": Constant(array=_table(lambda x: 1 / (1 + x), 0, 1)),
                "multiplier": multiplier,
                "shift": shift,
                "rows": given.elements // given.shape[-1],
                "depth": given.shape[-1],
            },
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0),),
        )
    ]


def _table(function: Callable[[NDArray[Any]], NDArray[Any]], low: float, high: float) -> NDArray[np.int16]:
    """TFLite's gen_lut: 513 values of a function as Q0.15, shifted by half of the lines' error halfway between them."""
    step = np.float32((high - low) / 512)
    x = np.float32(low) + np.arange(513, dtype=np.float32) * step
    unit = np.float32(32768)
    here = _rounded(function(x) * unit)
    halfway = _rounded(function(x[:-1] + step / 2) * unit)
    line = _rounded((function(x[1:]) * unit + here[:-1]) / 2)
    here[:-1] -= _rounded((line - halfway) / 2)
    table: NDArray[np.int16] = np.clip(here, -32768, 32767).astype(np.int16)
    return table


def _rounded(x: NDArray[Any]) -> NDArray[Any]:
    """To the nearest integer, halves away from zero; float32 stays float32."""
    rounded: NDArray[Any] = np.copysign(np.floor(np.abs(x) + np.float32(0.5)), x)
    return rounded


def _powers(beta: float, scale: float) -> NDArray[np.int32]:
    """e**(-beta * scale * d) for d = 0 ... 255 as Q0.31; 0 where TFLite takes none (below e**-31)."""
    real = min(beta * scale * 2.0 ** (31 - _DIFFERENCE_BITS), 2.0**31 - 1)
    multiplier, shift = quantize_multiplier(real)
    radius = math.floor((2**_DIFFERENCE_BITS - 1) * 2.0 ** (31 - _DIFFERENCE_BITS) / 2.0**shift)
    powers = [
        exp_of_negative(doubling_high_mul(-difference << shift, multiplier), _DIFFERENCE_BITS)
        for difference in range(min(radius, 255) + 1)
    ]
    return np.array(powers + [0] * (256 - len(powers)), dtype=np.int32)


LOWERINGS: Mapping[str, Lower] = {"SOFTMAX": _softmax}
