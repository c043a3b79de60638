"""Moving items from one regular pattern of addresses to another: what slices, transposes, joins and splits are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.mcu.ir import ITEM_BYTES, Node, Value
from edgekit.mcu.layer import Constant, Layer, Overlap
from edgekit.mcu.ops._overlap import distance

_LOOPS = 5
_UNITS = (4, 2, 1)


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Nested loops over items, the innermost last.

    Attributes:
        sizes: of each loop.
        read, write: by how many items each loop steps in the input and in the output.
        read_from, write_from: the first item.
    """

    sizes: tuple[int, ...]
    read: tuple[int, ...]
    write: tuple[int, ...]
    read_from: int = 0
    write_from: int = 0

    def is_whole(self, given: Value, made: Value) -> bool:
        """Whether it copies all of the input to all of the output in order."""
        loops = _merged(self, 1)
        plain = loops in ([(given.elements, 1, 1)], [(1, 0, 0)])
        return plain and given.elements == made.elements and self.read_from == self.write_from == 0


def dense(shape: Sequence[int]) -> tuple[int, ...]:
    """Steps of each axis of an array in row-major order, items."""
    return tuple(int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape)))


def strided_copy(node: Node, given: Value, made: Value, pattern: Pattern) -> Layer:
    """A layer that copies, in the largest units that all addresses allow.

    Raises:
        UnsupportedError: it takes more than five loops.
    """
    loops, unit, (read_from, write_from) = _in_units(pattern, ITEM_BYTES[given.dtype])
    if len(loops) > _LOOPS:
        raise node.refuse(f"moves its items in {len(loops)} loops; there are {_LOOPS}")
    padded = np.array([(1, 0, 0)] * (_LOOPS - len(loops)) + loops, dtype=np.int32).T.copy()
    read, write = _addresses(loops, 1), _addresses(loops, 2)
    written = np.maximum.accumulate((write + write_from + 1) * unit)
    return Layer(
        name=f"{node.place} {node.op}",
        kernel=f"strided_copy_{8 * unit}",
        params={"loops": Constant(array=padded), "read_from": read_from, "write_from": write_from},
        inputs=(given,),
        outputs=(made,),
        overlaps=(Overlap(input=0, distance=distance(written, (read + read_from) * unit)),),
    )


def _in_units(pattern: Pattern, item: int) -> tuple[list[tuple[int, int, int]], int, tuple[int, int]]:
    """Loops, unit in bytes, and the first units read and written."""
    firsts = (pattern.read_from * item, pattern.write_from * item)
    loops = _merged(pattern, item)
    run = loops[-1][0] if loops[-1][1:] == (1, 1) else 1
    fixed = [*firsts, run, *(step for _, *steps in loops for step in steps if step != 1)]
    unit = next(unit for unit in _UNITS if all(number % unit == 0 for number in fixed))
    if unit > 1:
        inner = [] if run == unit else [(run // unit, 1, 1)]
        loops = [(size, read // unit, write // unit) for size, read, write in loops[:-1]] + inner
    return loops or [(1, 0, 0)], unit, (firsts[0] // unit, firsts[1] // unit)


def _merged(pattern: Pattern, item: int) -> list[tuple[int, int, int]]:
    """(size, bytes read ahead, bytes written ahead) of each loop; loops that continue each other are one."""
    axes = [
        (size, read * item, write * item)
        for size, read, write in zip(pattern.sizes, pattern.read, pattern.write, strict=True)
    ]
    loops: list[tuple[int, int, int]] = []
    for size, read, write in [*axes, (item, 1, 1)]:
        if size == 1:
            continue
        if loops and loops[-1][1:] == (read * size, write * size):
            size *= loops.pop()[0]
        loops.append((size, read, write))
    return loops or [(1, 0, 0)]


def _addresses(loops: Sequence[tuple[int, int, int]], column: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Every address in the order of the loops, units."""
    addresses = np.zeros(1, dtype=np.int64)
    for loop in loops:
        addresses = (addresses[:, None] + np.arange(loop[0], dtype=np.int64) * loop[column]).ravel()
    return addresses
