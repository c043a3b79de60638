"""The planner's problem in whole units: sizes, and for each pair that lives together how far apart its begins must be.

For blocks i, j that share a step, either i is below, offset[j] >= offset[i] + gap(i, j), or j is, offset[i] >=
offset[j] + gap(j, i). The gap of i below j is the size of i; where j may lie over i's end at a distance (`May`, j the
earlier), it is that distance. A gap may be negative. So both kinds of pair are one kind: a disjunction of two
differences, as in a job shop with sequence-dependent set-up times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.mcu.block import Block, May


@dataclass(frozen=True, kw_only=True)
class Packing:
    """Blocks to place from offset 0 upwards, all lengths in units.

    Attributes:
        unit_bytes: the smallest alignment of all blocks; offsets are multiples of it, so rounding sizes and distances
            up to it changes no allocation, only the arena's end.
        sizes, aligns: of each block.
        gaps: of each block, in the order of their indices: (other, gap of this below other, gap of other below this).
    """

    unit_bytes: int
    sizes: tuple[int, ...]
    aligns: tuple[int, ...]
    gaps: tuple[tuple[tuple[int, int, int], ...], ...]

    def end(self, offsets: Sequence[int]) -> int:
        """The arena's size."""
        return max((offset + size for offset, size in zip(offsets, self.sizes, strict=True)), default=0)

    def first_fit(self, order: Sequence[int]) -> list[int]:
        """Each block, in this order, to the lowest place that those before it leave."""
        offsets = [-1] * len(self.sizes)
        for index in order:
            taken = sorted(
                (offsets[other] - below, offsets[other] + above)
                for other, below, above in self.gaps[index]
                if offsets[other] >= 0
            )
            offset, align = 0, self.aligns[index]
            for low, high in taken:  # begins strictly between low and high are forbidden
                if offset <= low:
                    break
                if offset < high:
                    offset = -(-high // align) * align
            offsets[index] = offset
        return offsets


def distances(overlaps: Sequence[May], unit_bytes: int) -> dict[tuple[int, int], int]:
    """(earlier, later) to the distance that all overlaps of this pair ask for, in units, rounded up."""
    found: dict[tuple[int, int], int] = {}
    for one in overlaps:
        pair, distance = (one.earlier, one.later), -(-one.distance // unit_bytes)
        found[pair] = max(distance, found.get(pair, distance))
    return found


def pack(blocks: Sequence[Block], overlaps: Sequence[May]) -> Packing:
    """The problem of placing these blocks."""
    unit = min((block.align for block in blocks), default=1)
    sizes = tuple(-(-block.size_bytes // unit) for block in blocks)
    may = distances(overlaps, unit)
    gaps: list[list[tuple[int, int, int]]] = [[] for _ in blocks]
    for i, one in enumerate(blocks):
        for j, other in enumerate(blocks):
            if i == j or one.first > other.last or other.first > one.last:
                continue
            below = min(sizes[i], may.get((j, i), sizes[i]))  # i below j, over its begin if i is the later
            above = min(sizes[j], may.get((i, j), sizes[j]))
            if below + above > 0:  # else one of the two always holds
                gaps[i].append((j, below, above))
    return Packing(
        unit_bytes=unit,
        sizes=sizes,
        aligns=tuple(block.align // unit for block in blocks),
        gaps=tuple(tuple(row) for row in gaps),
    )
