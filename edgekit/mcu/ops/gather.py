"""GATHER: the items of an axis that a list of int32 places names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import ITEM_BYTES, Node
from edgekit.mcu.layer import Core, Layer, Lowered
from edgekit.mcu.ops._base import Lower


def _gather(node: Node, _core: Core) -> Sequence[Lowered]:
    given, places, made = node.input(0), node.input(1), node.output
    if places.dtype != "int32" or given.dtype != made.dtype:
        raise node.refuse(
            f"takes {given.dtype} to {made.dtype} by {places.dtype} places; the kernel takes int32 places"
        )
    axis = node.options.integer(0) % len(given.shape)
    shared = node.options.integer(1) + (len(places.shape) if node.options.integer(1) < 0 else 0)
    batches, outer = math.prod(given.shape[:shared]), math.prod(given.shape[shared:axis])
    size, inner = given.shape[axis], math.prod(given.shape[axis + 1 :]) * ITEM_BYTES[given.dtype]
    count = math.prod(places.shape[shared:])
    expected = (*given.shape[:axis], *places.shape[shared:], *given.shape[axis + 1 :])
    if given.shape[:shared] != places.shape[:shared] or shared > axis or made.shape != expected:
        raise node.refuse(f"takes places {list(places.shape)} of {list(given.shape)} to {list(made.shape)}")
    if places.data is not None and (places.data.min(initial=0) < 0 or places.data.max(initial=0) >= size):
        raise node.refuse(f"takes a place outside of the axis {axis} of {list(given.shape)}")
    unit = 4 if inner % 4 == 0 else 1
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"gather_{8 * unit}",
            params={"batches": batches, "outer": outer, "size": size, "count": count, "inner": inner // unit},
            inputs=(given, places),
            outputs=(made,),
        )
    ]


LOWERINGS: Mapping[str, Lower] = {"GATHER": _gather}
