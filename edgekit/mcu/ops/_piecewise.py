"""Functions of one int16 value that are a straight line on either side of zero."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Layer, Lowered, Overlap
from edgekit.mcu.ops._lookup import LIMITS

Factor = tuple[int, int]
"""Multiplier and shift."""


def piecewise(
    node: Node, positive: Factor, negative: Factor, *, low: int | None = None, high: int | None = None
) -> Sequence[Lowered]:
    """A layer that scales by one factor above the input's zero point and by another one below.

    Args:
        node: of int16.
        positive, negative: factors; a negative multiplier turns the sign.
        low, high: limits of the result beside those of int16.
    """
    given, made = node.input(0), node.output
    if made.dtype != "int16":
        raise node.refuse(f"computes {given.dtype} -> {made.dtype}; the kernels take int8 or int16 throughout")
    if given.elements != made.elements:
        raise node.refuse(f"turns {given.elements} values into {made.elements}")
    least, most = LIMITS["int16"]
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel="piecewise_s16",
            params={
                "zero": given.zero_point,
                "multiplier1": positive[0],
                "shift1": positive[1],
                "multiplier2": negative[0],
                "shift2": negative[1],
                "zero_point": made.zero_point,
                "low": least if low is None else low,
                "high": most if high is None else high,
                "size": given.elements,
            },
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0),),
        )
    ]
