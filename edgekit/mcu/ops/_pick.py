"""Outputs whose places along each axis come from a table: mirrored borders, nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Layer, Overlap
from edgekit.mcu.ops._overlap import distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = {"int8": "s8", "int16": "s16"}
_AXES = 4


def pick(node: Node, sources: Sequence[NDArray[np.int64]]) -> Layer:
    """A layer that copies, for each place of the output, the input at `sources[axis][place]` of each axis.

    Raises:
        UnsupportedError: a type that it does not copy, or more than four axes.
    """
    given, made = node.input(0), node.output
    if given.dtype not in _KINDS or given.dtype != made.dtype:
        raise node.refuse(f"copies {given.dtype} to {made.dtype}; the kernels take int8 and int16")
    pitches = np.cumprod([1, *given.shape[:0:-1]], dtype=np.int64)[::-1]
    tables = [source * pitch for source, pitch in zip(sources, pitches, strict=True)]
    inner = 1
    while tables and np.array_equal(tables[-1], np.arange(len(tables[-1])) * inner):
        size = given.shape[len(tables) - 1]
        if len(tables[-1]) != size:
            break
        inner *= size
        tables.pop()
    tables = [np.zeros(1, np.int64)] * (_AXES - len(tables)) + tables
    if len(tables) > _AXES:
        raise node.refuse(f"copies {list(given.shape)} to {list(made.shape)} along {len(tables)} axes")
    item = given.size_bytes // given.elements
    rows = reduce(np.add.outer, tables).reshape(-1, 1)
    lowest = (rows + np.arange(inner)).ravel() * item
    written = np.arange(1, len(lowest) + 1, dtype=np.int64) * item
    return Layer(
        name=f"{node.place} {node.op}",
        kernel=f"pick_{_KINDS[given.dtype]}",
        params={f"at_{axis}": Constant(array=table.astype(np.int32)) for axis, table in enumerate(tables)}
        | {f"out_{axis}": len(table) for axis, table in enumerate(tables)}
        | {"inner": inner},
        inputs=(given,),
        outputs=(made,),
        overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
    )
