"""Which channels go: the lowest scores of each group, as many as a ratio, a threshold or a share of MACs asks for.

Pure rules: scores and sizes in, a mask out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.passes._keras.slim.graph import Group

Mask = NDArray[np.bool_]
Counts = dict[int, int]
"""Place of a group -> how many of its channels stay."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many channels of a group may stay.

    Attributes:
        min_channels: never fewer.
        round_to: a multiple of it, unless nothing of the group goes.
    """

    min_channels: int = 1
    round_to: int = 1

    def levels(self, size: int) -> list[int]:
        """The allowed numbers of channels of a group of this size, descending, the size itself first."""
        lowest = max(1, -(-self.min_channels // self.round_to)) * self.round_to
        highest = (size - 1) // self.round_to * self.round_to
        return [size, *range(highest, lowest - 1, -self.round_to)]

    def nearest(self, size: int, wanted: float) -> int:
        """The allowed number next to the wanted one, the larger of two at one distance."""
        return min(self.levels(size), key=lambda level: (round(abs(level - wanted), 9), -level))


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A group whose channels are in the order in which they go.

    Attributes:
        group: it.
        order: its channels, the least important first.
        scores: of those, ascending.
        original: how many channels the group had before the first cut.
        ratio: share that the user asked to remove from this very group, None where the general rule holds.
        price: what one channel costs, in the unit of the budget: 1 for channels, else its multiply-accumulates.
    """

    group: Group
    order: NDArray[np.int64]
    scores: NDArray[np.float64]
    original: int
    ratio: float | None
    price: float

    @property
    def size(self) -> int:
        """How many channels there are now."""
        return len(self.order)


def ranked(
    group: Group, scores: NDArray[np.float64], *, original: int, ratio: float | None, price: float = 1.0
) -> Ranked:
    """A group in the order of its scores; equal ones go in the order of their numbers."""
    order = np.argsort(scores[group.channels], kind="stable")
    return Ranked(
        group=group,
        order=group.channels[order],
        scores=scores[group.channels][order],
        original=original,
        ratio=ratio,
        price=price,
    )


def own_ratios(groups: Sequence[Ranked], share: float, limits: Limits) -> Counts:
    """Counts of the groups that have a ratio of their own.

    Args:
        groups: all of them.
        share: how much of each ratio is due by now, 0 to 1.
        limits: of all groups.
    """
    return {
        place: limits.nearest(each.size, each.original * (1 - each.ratio * share))
        for place, each in enumerate(groups)
        if each.ratio is not None
    }


def by_ratio(groups: Sequence[Ranked], ratio: float, limits: Limits) -> Counts:
    """The same share of every group."""
    return {
        place: limits.nearest(each.size, each.original * (1 - ratio))
        for place, each in enumerate(groups)
        if each.ratio is None
    }


def by_threshold(groups: Sequence[Ranked], threshold: float, limits: Limits, *, overall: bool) -> Counts:
    """What scores under a share of the largest score, of its group or of all."""
    free = {place: each for place, each in enumerate(groups) if each.ratio is None}
    largest = max((float(each.scores[-1]) for each in free.values()), default=0.0)
    counts = {}
    for place, each in free.items():
        limit = threshold * (largest if overall else float(each.scores[-1]))
        left = int((each.scores >= limit).sum())
        counts[place] = min(level for level in limits.levels(each.size) if level >= min(left, each.size))
    return counts


def removals(groups: Sequence[Ranked], limits: Limits, *, overall: bool) -> list[tuple[int, int]]:
    """Every step from one allowed count to the next lower one, as (place of the group, count then), in order.

    Args:
        groups: those with a ratio of their own are left out.
        limits: of all groups.
        overall: go by the scores over all groups, each divided by the channel's price, instead of by the share of each
            group that is gone.
    """
    steps: list[tuple[float, int, int]] = []
    for place, each in enumerate(groups):
        if each.ratio is not None:
            continue
        for level in limits.levels(each.size)[1:]:
            gone = each.size - level
            urgency = float(each.scores[gone - 1]) / each.price if overall else 1 - level / each.original
            steps.append((urgency, place, -level))
    return [(place, -level) for _, place, level in sorted(steps)]


def first_removals(groups: Sequence[Ranked], steps: Sequence[tuple[int, int]], count: int) -> Counts:
    """The counts after so many steps of `removals`."""
    return {place: each.size for place, each in enumerate(groups) if each.ratio is None} | dict(steps[:count])


def fewest_steps(total: int, enough: Callable[[int], bool]) -> int:
    """By bisection the lowest number of steps that is enough, `total` where none is; more steps never are worse."""
    low, high = 0, total
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def given_back(groups: Sequence[Ranked], steps: Sequence[tuple[int, int]], fits: Callable[[Counts], bool]) -> Counts:
    """The counts after steps that fit, those undone that the last ones made superfluous, the latest first."""
    needed, held = list(steps), set[int]()
    for index in reversed(range(len(steps))):
        if steps[index][0] in held:
            continue
        fewer = needed[:index] + needed[index + 1 :]
        if fits(first_removals(groups, fewer, len(fewer))):
            needed = fewer
        else:
            held.add(steps[index][0])
    return first_removals(groups, needed, len(needed))


def mask(total: int, groups: Sequence[Ranked], counts: Mapping[int, int]) -> Mask:
    """Keep the best channels of each group, and all channels that are in none."""
    keep = np.ones(total, np.bool_)
    for place, count in counts.items():
        each = groups[place]
        keep[each.order[: each.size - count]] = False
    return keep
