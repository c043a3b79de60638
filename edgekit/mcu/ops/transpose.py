"""TRANSPOSE: the axes in another order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Lowered, View
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._strided import Pattern, dense, strided_copy


def _transpose(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    order = [int(axis) % len(given.shape) for axis in node.constant(1).ravel()]
    sizes = tuple(given.shape[axis] for axis in order)
    if sorted(order) != list(range(len(given.shape))) or sizes != made.shape or given.dtype != made.dtype:
        raise node.refuse(f"turns {given.dtype}{list(given.shape)} into {made.dtype}{list(made.shape)} by {order}")
    steps = dense(given.shape)
    pattern = Pattern(sizes=sizes, read=tuple(steps[axis] for axis in order), write=dense(sizes))
    if pattern.is_whole(given, made):
        return [View(input=given, output=made)]
    return [strided_copy(node, given, made, pattern)]


LOWERINGS: Mapping[str, Lower] = {"TRANSPOSE": _transpose}
