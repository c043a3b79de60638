"""CONCATENATION and PACK: tensors copied into one, each by a layer of its own, so that it can die at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Lowered, View
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._strided import Pattern, dense, strided_copy


def _concatenation(node: Node, _core: Core) -> Sequence[Lowered]:
    if node.options.integer(1, kind="b"):
        raise node.refuse("has a fused activation, which tflite-micro does not take")
    axis = node.options.integer(0) % len(node.output.shape)
    return _joined(node, axis, [node.input(place).shape for place in range(len(node.inputs))])


def _pack(node: Node, _core: Core) -> Sequence[Lowered]:
    axis = node.options.integer(1) % len(node.output.shape)
    shapes = [node.input(place).shape for place in range(len(node.inputs))]
    return _joined(node, axis, [(*shape[:axis], 1, *shape[axis:]) for shape in shapes])


def _joined(node: Node, axis: int, shapes: Sequence[tuple[int, ...]]) -> Sequence[Lowered]:
    """Inputs of these shapes one after the other along an axis of the output."""
    made = node.output
    whole = tuple(sum(shape[axis] for shape in shapes) if at == axis else size for at, size in enumerate(shapes[0]))
    kinds = {node.input(place).dtype for place in range(len(node.inputs))} | {made.dtype}
    if whole != made.shape or len(kinds) != 1:
        raise node.refuse(f"joins {[list(shape) for shape in shapes]} to {made.dtype}{list(made.shape)}")
    steps, start = dense(made.shape), 0
    found: list[Lowered] = []
    for place, shape in enumerate(shapes):
        given = node.input(place)
        pattern = Pattern(sizes=shape, read=dense(shape), write=steps, write_from=start * steps[axis])
        start += shape[axis]
        if pattern.is_whole(given, made):
            return [View(input=given, output=made)]
        if given.elements:
            found.append(strided_copy(node, given, made, pattern))
    return found


LOWERINGS: Mapping[str, Lower] = {"CONCATENATION": _concatenation, "PACK": _pack}
