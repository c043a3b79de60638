"""What the memory planner places: blocks with a lifetime, and which of them may lie over each other."""

from __future__ import annotations

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

    offset[later] <= offset[earlier] - distance; else they are disjoint. Indices into the list of blocks. `earlier` ends
    with the step in which `later` begins; in that step, a block is never both.
    """

    earlier: int
    later: int
    distance: int
