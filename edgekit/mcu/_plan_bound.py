"""How small no arena can be, step by step.

In step t, let N be the live blocks that may lie over another live one (the later of a `May`), and E all other live
blocks. Blocks of E are disjoint from each other, and so are blocks of N: a `May` always joins one of E to one of N.

Claim: the union of a set of blocks that no `May` joins to others has at least
    max(sum of sizes in N, sum of sizes in E + sum over l in N of min(size of l, least D(e, l) of its partners e in E)),
where D(e, l) = max(distance, 0).

Proof. The first term: N is disjoint. The second: E is disjoint and gives the first sum. Of a block l of N, take the
part outside all blocks of E; these parts are disjoint for different l, as N is. If l overlaps no block of E, its part
is all of l. Else each e that it overlaps begins at offset[l] + D(e, l) or above, so no e reaches into the first
min D(e, l) units of l, and its part has at least min(size of l, min D(e, l)) units. QED.

Sets that no `May` joins are disjoint from each other, so their bounds add up; the arena contains them all. A pair e, l
gives max(size of l, size of e + min(size of l, D)), which an arrangement reaches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.block import Block


def step_bounds(blocks: Sequence[Block], sizes: Sequence[int], may: Mapping[tuple[int, int], int]) -> list[int]:
    """The least memory of each step.

    Args:
        blocks: for their lifetimes.
        sizes: of the blocks, in units.
        may: (earlier, later) to the distance in units.

    Returns:
        One number a step, in units; one 0 if there are no blocks.
    """
    steps = max((block.last for block in blocks), default=0) + 1
    live: list[list[int]] = [[] for _ in range(steps)]
    for index, block in enumerate(blocks):
        for step in range(block.first, block.last + 1):
            live[step].append(index)
    return [union_bound(indices, sizes, may) for indices in live]


def union_bound(
    live: Sequence[int], sizes: Sequence[int] | Mapping[int, int], may: Mapping[tuple[int, int], int]
) -> int:
    """The least memory of the blocks of one step, by the claim above; arguments as in `step_bounds`."""
    present = set(live)
    pairs = {pair: max(0, may[pair]) for pair in may if present.issuperset(pair)}
    joined = {index: index for index in live}
    for earlier, later in pairs:
        keep, drop = joined[earlier], joined[later]
        joined = {index: keep if group == drop else group for index, group in joined.items()}
    overlaid: dict[int, int] = {}  # blocks of N, each with its part outside E
    for (_, later), distance in pairs.items():
        overlaid[later] = min(distance, overlaid.get(later, sizes[later]))
    disjoint: dict[int, int] = {}
    over: dict[int, int] = {}
    for index, group in joined.items():
        disjoint[group] = disjoint.get(group, 0) + overlaid.get(index, sizes[index])
        over[group] = over.get(group, 0) + (sizes[index] if index in overlaid else 0)
    return sum(max(disjoint[group], over[group]) for group in disjoint)
