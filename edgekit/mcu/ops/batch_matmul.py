"""BATCH_MATMUL, int8 or int16: products of two computed matrices, as attention has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import quantize_multiplier, wide_multiplier
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._strided import dense

_BATCH_AXES = 3
_DEPTH_LIMIT = (2**31 - 1) // 255**2
_KERNELS = {"int8": "batch_matmul_s8", "int16": "batch_matmul_s16"}


def _batch_matmul(node: Node, _core: Core) -> Sequence[Lowered]:
    a, b, made = node.input(0), node.input(1), node.output
    if len({a.dtype, b.dtype, made.dtype}) != 1 or a.dtype not in _KERNELS:
        raise node.refuse(f"multiplies {a.dtype} by {b.dtype} to {made.dtype}; the kernels take int8 or int16")
    if min(len(a.shape), len(b.shape)) < 2 or max(len(a.shape), len(b.shape)) > _BATCH_AXES + 2:
        raise node.refuse(f"multiplies {list(a.shape)} by {list(b.shape)}; it takes 2 to {_BATCH_AXES + 2} axes")
    (rows, depth), (a_row, a_step) = _matrix(a.shape, swapped=node.options.flag(0))
    (other_depth, columns), (b_step, b_column) = _matrix(b.shape, swapped=node.options.flag(1))
    counts = _batches(a.shape), _batches(b.shape)
    sizes = tuple(max(one, other) for one, other in zip(*counts, strict=True))
    broadcasts = all(own in (size, 1) for count in counts for own, size in zip(count, sizes, strict=True))
    if depth > _DEPTH_LIMIT:
        raise node.refuse(f"sums {depth} products; 31 bits hold {_DEPTH_LIMIT}")
    if depth != other_depth or not broadcasts or made.elements != int(np.prod(sizes)) * rows * columns:
        raise node.refuse(f"multiplies {list(a.shape)} by {list(b.shape)} to {list(made.shape)}")
    pitches = [
        [0 if own == 1 else step for own, step in zip(count, dense((*count, matrix)), strict=False)]
        for count, matrix in zip(counts, (rows * depth, depth * columns), strict=True)
    ]
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=_KERNELS[a.dtype],
            params={
                "matrices": Constant(array=np.array([sizes, *pitches], dtype=np.int32)),
                "rows": rows,
                "depth": depth,
                "columns": columns,
                "a_row": a_row,
                "a_step": a_step,
                "b_step": b_step,
                "b_column": b_column,
                **_scaling(node),
            },
            inputs=(a, b),
            outputs=(made,),
            macs=made.elements * depth,
        )
    ]


def _scaling(node: Node) -> dict[str, int]:
    a, b, made = node.input(0), node.input(1), node.output
    factor = a.scale * b.scale / made.scale
    if a.dtype == "int16":
        if any((a.zero_point, b.zero_point, made.zero_point)):
            raise node.refuse("has int16 tensors with a zero point other than 0")
        multiplier, shift = wide_multiplier(factor)
        return {"multiplier": multiplier, "shift": shift}
    multiplier, shift = quantize_multiplier(factor)
    zeros = {"zero1": a.zero_point, "zero2": b.zero_point, "zero_point": made.zero_point}
    return {**zeros, "multiplier": multiplier, "shift": shift}


def _matrix(shape: Sequence[int], *, swapped: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    """Sizes and steps of the last two axes as the product sees them."""
    height, width = shape[-2:]
    return ((width, height), (1, width)) if swapped else ((height, width), (width, 1))


def _batches(shape: Sequence[int]) -> tuple[int, ...]:
    return (1,) * (_BATCH_AXES + 2 - len(shape)) + tuple(shape[:-2])


LOWERINGS: Mapping[str, Lower] = {"BATCH_MATMUL": _batch_matmul}
