"""SLICE, STRIDED_SLICE, SPLIT, SPLIT_V, UNPACK: parts of a tensor, copied out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node, Value
from edgekit.mcu.layer import Core, Lowered, View
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._strided import Pattern, dense, strided_copy


def _part(
    node: Node, given: Value, made: Value, starts: Sequence[int], strides: Sequence[int], sizes: Sequence[int]
) -> Lowered:
    """`sizes` items of each axis from `starts` on, `strides` apart."""
    if given.dtype != made.dtype or _product(sizes) != made.elements:
        raise node.refuse(f"cuts {made.dtype}{list(made.shape)} out of {given.dtype}{list(given.shape)}")
    steps = dense(given.shape)
    pattern = Pattern(
        sizes=tuple(sizes),
        read=tuple(stride * step for stride, step in zip(strides, steps, strict=True)),
        write=dense(sizes),
        read_from=sum(start * step for start, step in zip(starts, steps, strict=True)),
    )
    if pattern.is_whole(given, made):
        return View(input=given, output=made)
    return strided_copy(node, given, made, pattern)


def _product(sizes: Sequence[int]) -> int:
    count = 1
    for size in sizes:
        count *= size
    return count


def _slice(node: Node, _core: Core) -> Sequence[Lowered]:
    given = node.input(0)
    starts = node.constant(1).ravel().tolist()
    asked = node.constant(2).ravel().tolist()
    sizes = [whole - start if size < 0 else size for whole, start, size in zip(given.shape, starts, asked, strict=True)]
    if any(
        not 0 <= start <= start + size <= whole for start, size, whole in zip(starts, sizes, given.shape, strict=True)
    ):
        raise node.refuse(f"cuts {sizes} from {starts} on out of {list(given.shape)}")
    return [_part(node, given, node.output, starts, [1] * len(starts), sizes)]


def _strided_slice(node: Node, _core: Core) -> Sequence[Lowered]:
    given = node.input(0)
    begins, ends, strides = (node.constant(place).ravel().tolist() for place in (1, 2, 3))
    begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_mask = (
        node.options.integer(field) for field in range(5)
    )
    if ellipsis_mask or new_axis_mask or node.options.flag(5):
        raise node.refuse("has an ellipsis, a new axis or relative ends, which tflite-micro does not take")
    shrunk_outside = any(
        shrink_mask >> axis & 1 and not -whole <= begins[axis] < whole for axis, whole in enumerate(given.shape)
    )
    if not len(begins) == len(ends) == len(strides) == len(given.shape) or 0 in strides or shrunk_outside:
        raise node.refuse(f"cuts {begins} to {ends} by {strides} out of {list(given.shape)}")
    ranges = []
    for axis, whole in enumerate(given.shape):
        if shrink_mask >> axis & 1:  # one item, the first one where the begin is masked as well
            start = 0 if begin_mask >> axis & 1 else range(whole)[begins[axis]]
            ranges.append(range(start, start + 1))
            continue
        begin = None if begin_mask >> axis & 1 else begins[axis]
        end = None if end_mask >> axis & 1 else ends[axis]
        ranges.append(range(*slice(begin, end, strides[axis]).indices(whole)))
    starts = [one.start for one in ranges]
    return [_part(node, given, node.output, starts, [one.step for one in ranges], [len(one) for one in ranges])]


def _split(node: Node, _core: Core) -> Sequence[Lowered]:
    """The axis is the first input of SPLIT and the last one of SPLIT_V."""
    given = node.input(1 if node.op == "SPLIT" else 0)
    axis = int(node.constant(0 if node.op == "SPLIT" else 2).ravel()[0]) % len(given.shape)
    if sum(made.shape[axis] for made in node.outputs) != given.shape[axis]:
        raise node.refuse(
            f"splits the axis {axis} of {list(given.shape)} into {len(node.outputs)} parts of another sum"
        )
    found, start = [], 0
    for made in node.outputs:
        starts = [start if place == axis else 0 for place in range(len(given.shape))]
        found.append(_part(node, given, made, starts, [1] * len(starts), made.shape))
        start += made.shape[axis]
    return found


def _unpack(node: Node, _core: Core) -> Sequence[Lowered]:
    given = node.input(0)
    axis = node.options.integer(1) % len(given.shape)
    if len(node.outputs) != given.shape[axis]:
        raise node.refuse(f"takes {len(node.outputs)} parts out of the axis {axis} of {list(given.shape)}")
    sizes = [1 if place == axis else size for place, size in enumerate(given.shape)]
    return [
        _part(node, given, made, [at if place == axis else 0 for place in range(len(sizes))], [1] * len(sizes), sizes)
        for at, made in enumerate(node.outputs)
    ]


LOWERINGS: Mapping[str, Lower] = {
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "STRIDED_SLICE": _strided_slice,
    "UNPACK": _unpack,
}
