"""Functions of one 8-bit value: all 256 answers are computed here, the kernel looks them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgekit.mcu.ir import ITEM_BYTES, Node
from edgekit.mcu.layer import Constant, Layer, Lowered, Overlap

_KERNELS = {"int8": "8", "uint8": "8", "bool": "8", "int16": "8_s16", "int32": "8_s32", "float32": "8_f32"}
EIGHT_BITS = ("int8", "uint8", "bool")
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (-(2**31), 2**31 - 1)}


def lookup(node: Node, function: Callable[[int], float]) -> Sequence[Lowered]:
    """A layer that maps each byte of the input; `function` takes and gives quantized values in range.

    The output may lie over the input; where its items are longer, so far above that none is overwritten unread.
    """
    given, made = node.input(0), node.output
    if given.elements != made.elements:
        raise node.refuse(f"turns {given.elements} values into {made.elements}")
    values = np.arange(256, dtype=np.uint8).view(np.uint8 if given.dtype == "bool" else given.dtype)
    answers = np.array([function(int(value)) for value in values])
    item = ITEM_BYTES[made.dtype]
    table = answers.astype(made.dtype)
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"lookup_{_KERNELS[made.dtype]}",
            params={"table": Constant(array=table.view(np.uint8) if item == 1 else table), "size": given.elements},
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0, distance=(given.elements - 1) * (item - 1)),),
        )
    ]


def clamped(value: int, dtype: str) -> int:
    """A quantized value saturated to its type."""
    low, high = LIMITS[dtype]
    return min(max(value, low), high)


def in_float32(real: float | np.float32) -> int:
    """A real number rounded to the nearest integer, halves away from zero, as C's roundf does."""
    single = np.float32(real)
    return int(np.copysign(np.floor(np.abs(single).astype(np.float64) + 0.5), single))
