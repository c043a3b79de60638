"""MEAN and SUM over any axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import quantize_multiplier
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._overlap import distance

_KINDS = {"int8": "s8", "int16": "s16"}


def _groups(node: Node, shape: Sequence[int], axes: Sequence[int]) -> tuple[int, int, int, int, int]:
    """The shape as five sizes: kept, summed, kept, summed, kept."""
    sizes, summed = [1], False
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if (axis in axes) != summed:
            summed = not summed
            sizes.append(1)
        sizes[-1] *= size
    if len(sizes) > 5:
        raise node.refuse(f"reduces {list(shape)} over {sorted(axes)}: more than two groups of axes")
    a, b, c, d, e = (*sizes, *[1] * (5 - len(sizes)))
    return a, b, c, d, e


def _mean_multiplier(multiplier: int, shift: int, count: int) -> tuple[int, int]:
    """The scaling with the division by `count` in it; TFLite's QuantizedMeanOrSum."""
    left = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << left) // count, shift - left


def _reduce(node: Node, *, mean: bool) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if given.dtype != made.dtype or given.dtype not in _KINDS:
        raise node.refuse(f"reduces {given.dtype} to {made.dtype}; the kernels take int8 and int16")
    axes = {int(axis) % len(given.shape) for axis in node.constant(1).ravel()}
    a, b, c, d, e = sizes = _groups(node, given.shape, sorted(axes))
    count = b * d
    if a * c * e != made.elements:
        raise node.refuse(f"reduces {list(given.shape)} over {sorted(axes)} to {list(made.shape)}")
    multiplier, shift = quantize_multiplier(given.scale / made.scale)
    if mean:
        multiplier, shift = _mean_multiplier(multiplier, shift, count)
    item = given.size_bytes // given.elements
    kept = np.arange(a)[:, None, None] * (b * c * d * e) + np.arange(c)[:, None] * (d * e) + np.arange(e)
    written = np.arange(1, made.elements + 1, dtype=np.int64) * item
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"reduce_{_KINDS[given.dtype]}",
            params=dict(zip("abcde", sizes, strict=True))
            | {
                "offset": -given.zero_point * count,
                "multiplier": multiplier,
                "shift": shift,
                "zero_point": made.zero_point,
            },
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0, distance=distance(written, kept.ravel() * item)),),
            macs=math.prod(given.shape),
        )
    ]


def _mean(node: Node, _core: Core) -> Sequence[Lowered]:
    return _reduce(node, mean=True)


def _sum(node: Node, _core: Core) -> Sequence[Lowered]:
    return _reduce(node, mean=False)


LOWERINGS: Mapping[str, Lower] = {"MEAN": _mean, "SUM": _sum}
