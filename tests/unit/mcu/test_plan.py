"""The memory planner against brute force, its promises on random blocks, and known networks."""

import itertools
import random

import pytest

from edgekit.mcu.plan import Block, May, Plan, plan


def _random_problem(seed: int, *, count: int, steps: int, largest: int, aligns: tuple[int, ...] = (1,)):
    """Blocks with random lives; some that die in the step in which another is born may lie over it."""
    draw = random.Random(seed)
    blocks = []
    for number in range(count):
        first = draw.randrange(steps)
        last = min(steps - 1, first + draw.randrange(3))
        align = draw.choice(aligns)
        blocks.append(Block(name=str(number), size_bytes=draw.randint(1, largest), first=first, last=last, align=align))
    pairs = [
        (e, n)
        for e, n in itertools.permutations(range(count), 2)
        if blocks[e].last == blocks[n].first and blocks[e].first < blocks[n].first and blocks[n].last > blocks[e].last
    ]
    overlaps = [
        May(earlier=e, later=n, distance=draw.randint(-blocks[e].size_bytes, blocks[n].size_bytes))
        for e, n in pairs
        if draw.random() < 0.6
    ]
    return blocks, overlaps


def _is_allowed(blocks, overlaps, i, a, j, b) -> bool:
    one, other = blocks[i], blocks[j]
    if one.last < other.first or other.last < one.first:
        return True
    if a + one.size_bytes <= b or b + other.size_bytes <= a:
        return True
    for (e, place_e), (n, place_n) in (((i, a), (j, b)), ((j, b), (i, a))):
        limits = [may.distance for may in overlaps if (may.earlier, may.later) == (e, n)]
        if limits and all(place_n <= place_e - distance for distance in limits):
            return True
    return False


def _smallest(blocks, overlaps) -> int:
    """The size of the smallest arena, by trying every offset."""
    for size in itertools.count(max(block.size_bytes for block in blocks)):
        if _place(blocks, overlaps, size, []):
            return size
    raise AssertionError


def _place(blocks, overlaps, size, placed) -> bool:
    if len(placed) == len(blocks):
        return True
    index = len(placed)
    return any(
        all(_is_allowed(blocks, overlaps, index, offset, j, placed[j]) for j in range(index))
        and _place(blocks, overlaps, size, [*placed, offset])
        for offset in range(0, size - blocks[index].size_bytes + 1, blocks[index].align)
    )


def _check(blocks, overlaps, made: Plan) -> None:
    for index, (block, offset) in enumerate(zip(blocks, made.offsets, strict=True)):
        assert offset % block.align == 0
        assert 0 <= offset <= made.size_bytes - block.size_bytes
        for j in range(index):
            assert _is_allowed(blocks, overlaps, index, offset, j, made.offsets[j])
    assert made.lower_bound_bytes <= made.size_bytes
    assert made.is_optimal == (made.lower_bound_bytes == made.size_bytes)


@pytest.mark.parametrize("seed", range(60))
def test_plan_is_as_small_as_brute_force(seed: int) -> None:
    blocks, overlaps = _random_problem(seed, count=4 + seed % 3, steps=4, largest=4)

    made = plan(blocks, overlaps)

    _check(blocks, overlaps, made)
    assert made.is_optimal
    assert made.size_bytes == _smallest(blocks, overlaps)


@pytest.mark.parametrize("seed", range(20))
def test_plan_is_as_small_as_brute_force_when_alignments_differ(seed: int) -> None:
    blocks, overlaps = _random_problem(seed, count=5, steps=3, largest=6, aligns=(1, 1, 2, 4))
    blocks.append(Block(name="unit", size_bytes=1, first=9, last=9, align=1))

    made = plan(blocks, overlaps)

    _check(blocks, overlaps, made)
    assert made.size_bytes == _smallest(blocks, overlaps)


@pytest.mark.parametrize("seed", range(5))
def test_plan_keeps_every_promise_when_there_are_many_blocks(seed: int) -> None:
    blocks, overlaps = _random_problem(seed, count=60, steps=25, largest=5000, aligns=(4, 4, 4, 16))

    made = plan(blocks, overlaps)

    _check(blocks, overlaps, made)
    assert made == plan(blocks, overlaps)


def test_bound_of_a_pair_counts_the_distance() -> None:
    given = Block(name="given", size_bytes=100, first=0, last=1)
    made = Block(name="made", size_bytes=80, first=1, last=2)

    for distance, needed in ((-40, 100), (0, 100), (24, 124), (80, 180)):
        placed = plan([given, made], [May(earlier=0, later=1, distance=distance)])
        assert (placed.size_bytes, placed.lower_bound_bytes, placed.peak_step) == (needed, needed, int(needed > 100))


def test_strictest_of_several_distances_counts() -> None:
    blocks = [
        Block(name="given", size_bytes=8, first=0, last=1),
        Block(name="made", size_bytes=8, first=1, last=2),
    ]

    made = plan(blocks, [May(earlier=0, later=1, distance=4), May(earlier=0, later=1, distance=0)])

    assert made.size_bytes == 12


def test_split_lies_wholly_within_its_input() -> None:
    blocks = [
        Block(name="given", size_bytes=32, first=0, last=1),
        Block(name="low", size_bytes=16, first=1, last=3),
        Block(name="high", size_bytes=16, first=1, last=3),
    ]

    made = plan(blocks, [May(earlier=0, later=1, distance=0), May(earlier=0, later=2, distance=-16)])

    assert made.size_bytes == 32
    assert made.is_optimal


def test_chain_of_distances_is_proven_beyond_the_bound_of_its_steps() -> None:
    blocks = [Block(name=str(step), size_bytes=40, first=step, last=step + 1) for step in range(4)]
    overlaps = [May(earlier=step, later=step + 1, distance=8) for step in range(3)]

    made = plan(blocks, overlaps)

    assert max(made.step_bytes) == 48
    assert (made.size_bytes, made.lower_bound_bytes, made.is_optimal) == (64, 64, True)


def test_nothing_to_place_needs_nothing() -> None:
    made = plan([])

    assert (made.offsets, made.size_bytes, made.is_optimal) == ((), 0, True)


def test_chain_of_vww_without_overlaps_is_placed_at_its_bound() -> None:
    sizes = [27648, 18432, 18432, 36864, 9216, 18432, 18432, 18432, 4608, 9216, 9216, 9216, 2304, 4608, 4608, 256, 2]
    blocks = [
        Block(name=str(step), size_bytes=size, first=max(0, step - 1), last=step) for step, size in enumerate(sizes)
    ]

    made = plan(blocks)

    assert (made.size_bytes, made.is_optimal) == (55296, True)
