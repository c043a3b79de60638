"""Where each block of memory lies: lifetimes in, offsets out, with what is proven of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.mcu._packing import Packing, distances, pack
from edgekit.mcu._plan_bound import step_bounds
from edgekit.mcu._plan_search import SearchLimitError, fit
from edgekit.mcu.block import Block, May

__all__ = ["Block", "May", "Plan", "plan"]

_ORDERS = 200  # random ones; enough for the lower bound on all public models that reach it
_SEARCH_LIMIT = 400_000  # pairs looked at to decide one arena size: under half a second


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An allocation.

    Attributes:
        offsets: of each block, in the order given.
        size_bytes: of the whole arena, a multiple of the smallest alignment.
        lower_bound_bytes: what no allocation of these blocks can go below.
        is_optimal: whether it is proven that none is smaller.
        peak_step: the step that needs most.
        step_bytes: what each step needs at least, blocks over each other counted once.
    """

    offsets: tuple[int, ...]
    size_bytes: int
    lower_bound_bytes: int
    is_optimal: bool
    peak_step: int
    step_bytes: tuple[int, ...]


def plan(blocks: Sequence[Block], overlaps: Sequence[May] = ()) -> Plan:
    """Place the blocks in the smallest arena that is found.

    First fit in many orders gives an arena, the most needy step a lower bound (`_plan_bound` has the proof). Between
    the two, an exhaustive search halves the gap until it closes or the search limit is reached.

    Args:
        blocks: what to place.
        overlaps: pairs that need not be disjoint.

    Returns:
        The allocation; the same one for the same input, everywhere.
    """
    packing = pack(blocks, overlaps)
    unit = packing.unit_bytes
    needs = step_bounds(blocks, packing.sizes, distances(overlaps, unit))
    offsets = _first_fit(packing, _orders(blocks, packing, needs), max(needs))
    offsets, bound = _close(packing, offsets, max(needs))
    size = packing.end(offsets)
    return Plan(
        offsets=tuple(offset * unit for offset in offsets),
        size_bytes=size * unit,
        lower_bound_bytes=bound * unit,
        is_optimal=size == bound,
        peak_step=needs.index(max(needs)),
        step_bytes=tuple(need * unit for need in needs),
    )


def _first_fit(packing: Packing, orders: Iterator[list[int]], bound: int) -> list[int]:
    """The best allocation of these orders; the first one that reaches the bound."""
    best = packing.first_fit(next(orders))
    for order in orders:
        if packing.end(best) == bound:
            break
        best = min(best, packing.first_fit(order), key=packing.end)
    return best


def _orders(blocks: Sequence[Block], packing: Packing, needs: Sequence[int]) -> Iterator[list[int]]:
    """Largest first, latest first (a chain of overlaps goes downwards), neediest steps first, then at random."""
    indices = range(len(blocks))
    sizes = packing.sizes
    neediest = [max(needs[block.first : block.last + 1], default=0) for block in blocks]
    yield sorted(indices, key=lambda i: (-sizes[i], i))
    yield sorted(indices, key=lambda i: (-blocks[i].last, -sizes[i], i))
    yield sorted(indices, key=lambda i: (blocks[i].first, -sizes[i], i))
    yield sorted(indices, key=lambda i: (-neediest[i], -blocks[i].last, i))
    yield sorted(indices, key=lambda i: (-neediest[i], -sizes[i], i))
    yield sorted(indices, key=lambda i: (-sizes[i] * (blocks[i].last - blocks[i].first + 1), i))
    chance = random.Random(0)  # noqa: S311 - repeatable, not secret
    for _ in range(_ORDERS):
        keys = [sizes[i] * chance.random() for i in indices]
        yield sorted(indices, key=lambda i, keys=keys: (-keys[i], i))  # type: ignore[misc]


def _close(packing: Packing, offsets: list[int], bound: int) -> tuple[list[int], int]:
    """Improve an allocation, or raise the lower bound; both by asking whether an arena between them is enough."""
    low = bound  # below it, nothing is to be found or the limit was reached
    while low < (size := packing.end(offsets)):
        middle = (low + size - 1) // 2
        try:
            found = fit(packing, middle, _SEARCH_LIMIT)
        except SearchLimitError:
            low = middle + 1
            continue
        if found is None:
            low = bound = middle + 1
        else:
            offsets = found
    return offsets, bound
