"""Where each block of memory lies: lifetimes in, offsets out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 4


@dataclass(frozen=True, kw_only=True)
class Block:
    """Memory that is needed from one step to another.

    Attributes:
        name: for reports.
        size_bytes: more than 0.
        first, last: the steps, inclusive, in which it must not be overwritten.
        align: bytes; a power of two.
    """

    name: str
    size_bytes: int
    first: int
    last: int
    align: int = ALIGNMENT


@dataclass(frozen=True, kw_only=True)
class May:
    """Two blocks that live in the same step may lie over each other: `later` begins `distance` or more below `earlier`.

    offset[later] <= offset[earlier] - distance; else they are disjoint. Indices into the list of blocks.
    """

    earlier: int
    later: int
    distance: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An allocation.

    Attributes:
        offsets: of each block, in the order given.
        size_bytes: of the whole arena.
        lower_bound_bytes: what no allocation of these blocks can go below.
        is_optimal: whether it is proven that none is smaller.
        peak_step: the step that sets the lower bound.
    """

    offsets: tuple[int, ...]
    size_bytes: int
    lower_bound_bytes: int
    is_optimal: bool
    peak_step: int


def plan(blocks: Sequence[Block], overlaps: Sequence[May] = ()) -> Plan:
    """Place the blocks; first fit, largest first."""
    may = {(one.earlier, one.later): one.distance for one in overlaps}
    placed: dict[int, int] = {}
    for index in sorted(range(len(blocks)), key=lambda i: (-blocks[i].size_bytes, i)):
        placed[index] = _lowest(index, blocks, placed, may)
    size = max((placed[i] + blocks[i].size_bytes for i in placed), default=0)
    steps = range(max((block.last for block in blocks), default=0) + 1)
    peak = max(steps, key=lambda step: _live(blocks, step))
    bound = 0 if overlaps else _live(blocks, peak)
    return Plan(
        offsets=tuple(placed[i] for i in range(len(blocks))),
        size_bytes=size,
        lower_bound_bytes=bound,
        is_optimal=size == bound,
        peak_step=peak,
    )


def _live(blocks: Sequence[Block], step: int) -> int:
    return sum(block.size_bytes for block in blocks if block.first <= step <= block.last)


def _lowest(index: int, blocks: Sequence[Block], placed: dict[int, int], may: dict[tuple[int, int], int]) -> int:
    mine = blocks[index]
    others = [i for i in placed if blocks[i].first <= mine.last and mine.first <= blocks[i].last]
    candidates = {0} | {placed[i] + blocks[i].size_bytes for i in others}
    for i in others:
        if (i, index) in may:
            candidates.add(max(0, placed[i] - may[i, index]))
        if (index, i) in may:
            candidates.add(max(0, placed[i] + may[index, i]))
    for offset in sorted(-(-candidate // mine.align) * mine.align for candidate in candidates):
        if all(_fits(index, offset, i, blocks, placed, may) for i in others):
            return offset
    raise AssertionError("the end of everything placed is always free")


def _fits(
    index: int, offset: int, i: int, blocks: Sequence[Block], placed: dict[int, int], may: dict[tuple[int, int], int]
) -> bool:
    end, other, other_end = offset + blocks[index].size_bytes, placed[i], placed[i] + blocks[i].size_bytes
    if end <= other or other_end <= offset:
        return True
    if (i, index) in may and offset <= other - may[i, index]:
        return True
    return (index, i) in may and other <= offset - may[index, i]
