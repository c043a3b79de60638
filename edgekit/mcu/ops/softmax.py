"""SOFTMAX, int8 to int8 or int16: powers of e from a table, the reciprocal of their sum in fixed point.

TFLite's reference Softmax: sums in Q12.19, the result rounded from Q0.31 (gemmlowp).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import doubling_high_mul, exp_of_negative, quantize_multiplier
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._base import Lower

_DIFFERENCE_BITS = 5
_SUM_LIMIT = 2**12 - 1
_OUTPUTS = {"int8": (-128, 1 / 256), "int16": (-32768, 1 / 65536)}


def _softmax(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if given.dtype != "int8" or made.dtype not in _OUTPUTS:
        raise node.refuse(f"computes {given.dtype} -> {made.dtype}; the kernels take int8 -> int8 or int16")
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


def _powers(beta: float, scale: float) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
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
