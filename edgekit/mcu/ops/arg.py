"""ARG_MAX, ARG_MIN: where on an axis the largest or smallest int8 value is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Layer, Lowered
from edgekit.mcu.ops._base import Lower


def _arg(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if (given.dtype, made.dtype) != ("int8", "int32"):
        raise node.refuse(f"computes {given.dtype} -> {made.dtype}; the kernel takes int8 -> int32")
    axis = int(node.constant(1).ravel()[0]) % len(given.shape)
    outer, size, inner = math.prod(given.shape[:axis]), given.shape[axis], math.prod(given.shape[axis + 1 :])
    if made.elements != outer * inner:
        raise node.refuse(f"searches the axis {axis} of {list(given.shape)} and gives {list(made.shape)}")
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel="arg_extreme_s8",
            params={"outer": outer, "size": size, "inner": inner, "sign": 1 if node.op == "ARG_MAX" else -1},
            inputs=(given,),
            outputs=(made,),
        )
    ]


LOWERINGS: Mapping[str, Lower] = {"ARG_MAX": _arg, "ARG_MIN": _arg}
