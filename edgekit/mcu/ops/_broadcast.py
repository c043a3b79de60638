"""Broadcasting as four nested loops: sizes of the output, and by how many items each input steps in each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.mcu.ir import Node, Value
from edgekit.mcu.layer import Constant, Overlap

_LOOPS = 4


def broadcast(node: Node, a: Value, b: Value) -> Constant:
    """The loops of a binary operator: int32 [sizes, steps of a, steps of b], each of 4, the innermost last.

    Raises:
        UnsupportedError: shapes that do not broadcast to the output's, or need more than four loops.
    """
    shape = node.output.shape
    try:
        right = np.broadcast_shapes(a.shape, b.shape) == shape
    except ValueError:
        right = False
    if not right:
        raise node.refuse(f"combines {list(a.shape)} with {list(b.shape)} to {list(shape)}")
    loops = _merged(shape, _steps(a.shape, len(shape)), _steps(b.shape, len(shape)))
    if len(loops) > _LOOPS:
        raise node.refuse(f"combines {list(a.shape)} with {list(b.shape)} in {len(loops)} loops; there are {_LOOPS}")
    padded = [(1, 0, 0)] * (_LOOPS - len(loops)) + loops
    return Constant(array=np.array(padded, dtype=np.int32).T.copy())


def in_place(node: Node, *inputs: int) -> tuple[Overlap, ...]:
    """Overlaps of an elementwise operator: in place over each input of the output's size and type."""
    made = node.output
    found = [
        place for place in inputs if (node.input(place).dtype, node.input(place).shape) == (made.dtype, made.shape)
    ]
    return tuple(Overlap(input=place) for place in found)


def _steps(shape: Sequence[int], rank: int) -> list[int]:
    """By how many items each axis steps; 0 where it is broadcast."""
    full = (1,) * (rank - len(shape)) + tuple(shape)
    return [0 if size == 1 else int(np.prod(full[axis + 1 :], dtype=np.int64)) for axis, size in enumerate(full)]


def _merged(shape: Sequence[int], a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int, int]]:
    """(size, step of a, step of b) of each loop; axes that both inputs run through in one go are one loop."""
    loops: list[tuple[int, int, int]] = []
    for size, one, other in zip(shape, a, b, strict=True):
        if size == 1:
            continue
        if loops:
            outer, outer_a, outer_b = loops[-1]
            if (outer_a, outer_b) == (one * size, other * size):
                loops[-1] = (outer * size, one, other)
                continue
        loops.append((size, one, other))
    return loops or [(1, 0, 0)]
