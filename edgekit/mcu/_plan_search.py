"""Whether blocks fit a given arena: branch and bound over the order of pairs, with propagation of offsets' ranges.

Each offset has a range. A pair of which one order is impossible takes the other one, which narrows both ranges, until
nothing changes. If the lowest offsets then satisfy every pair, they are an answer; else a pair that they violate is
tried in both orders. The search is complete: without an answer, none exists. It counts its steps and stops at a limit,
so that the same input gives the same result on every machine.
"""

from __future__ import annotations

from edgekit.mcu._packing import Packing


class SearchLimitError(Exception):
    """The limit was reached before the question was decided."""


class _InfeasibleError(Exception):
    """No offsets satisfy what was decided so far."""


def fit(packing: Packing, capacity: int, limit: int) -> list[int] | None:
    """Offsets within `capacity` units.

    Args:
        packing: the blocks.
        capacity: the arena, in units.
        limit: most pairs to look at.

    Returns:
        An offset for each block; None if it is proven that there are none.

    Raises:
        SearchLimitError: undecided after `limit`.
    """
    if any(size > capacity for size in packing.sizes):
        return None
    return _Search(packing, capacity, limit).run()


class _Search:
    def __init__(self, packing: Packing, capacity: int, limit: int) -> None:
        self._packing = packing
        self._left = limit
        self._low = [0] * len(packing.sizes)
        self._high = [
            (capacity - size) // align * align for size, align in zip(packing.sizes, packing.aligns, strict=True)
        ]
        self._below: set[tuple[int, int]] = set()  # (i, j): decided that i is below j
        self._undo: list[tuple[list[int], int, int] | tuple[int, int]] = []

    def run(self) -> list[int] | None:
        choices: list[tuple[int, tuple[int, int]]] = []
        changed = list(range(len(self._low)))
        while True:
            try:
                self._propagate(changed)
                pair = self._violated()
                if pair is None:
                    return self._low
                choices.append((len(self._undo), (pair[1], pair[0])))
                changed = self._decide(pair)
            except _InfeasibleError:
                if not choices:
                    return None
                mark, other = choices.pop()
                self._restore(mark)
                changed = self._decide(other)

    def _decide(self, pair: tuple[int, int]) -> list[int]:
        self._below.add(pair)
        self._undo.append(pair)
        return [pair[0]]

    def _restore(self, mark: int) -> None:
        while len(self._undo) > mark:
            entry = self._undo.pop()
            if len(entry) == 3:
                bounds, index, value = entry
                bounds[index] = value
            else:
                self._below.discard(entry)

    def _propagate(self, changed: list[int]) -> None:
        low, high = self._low, self._high
        waiting = dict.fromkeys(changed)
        while waiting:
            i = next(iter(waiting))
            del waiting[i]
            self._left -= len(self._packing.gaps[i])
            if self._left < 0:
                raise SearchLimitError
            for j, below, above in self._packing.gaps[i]:
                may_below = low[i] + below <= high[j] and (j, i) not in self._below
                may_above = low[j] + above <= high[i] and (i, j) not in self._below
                if may_below and may_above:
                    continue
                if may_below:
                    self._separate(i, j, below, waiting)
                elif may_above:
                    self._separate(j, i, above, waiting)
                else:
                    raise _InfeasibleError

    def _separate(self, i: int, j: int, gap: int, waiting: dict[int, None]) -> None:
        """Keep offset[j] >= offset[i] + gap."""
        align = self._packing.aligns[j]
        low = -(-(self._low[i] + gap) // align) * align
        if low > self._low[j]:
            self._set(self._low, j, low, waiting)
        align = self._packing.aligns[i]
        high = (self._high[j] - gap) // align * align
        if high < self._high[i]:
            self._set(self._high, i, high, waiting)
        if self._low[i] > self._high[i] or self._low[j] > self._high[j]:
            raise _InfeasibleError

    def _set(self, bounds: list[int], index: int, value: int, waiting: dict[int, None]) -> None:
        self._undo.append((bounds, index, bounds[index]))
        bounds[index] = value
        waiting[index] = None

    def _violated(self) -> tuple[int, int] | None:
        """The pair with the least room among those that the lowest offsets violate, its roomier order; None: answer."""
        low, high = self._low, self._high
        best: tuple[int, int, int] | None = None
        for i, row in enumerate(self._packing.gaps):
            self._left -= len(row)
            for j, below, above in row:
                if low[j] >= low[i] + below or low[i] >= low[j] + above:
                    continue
                room_below, room_above = high[j] - low[i] - below, high[i] - low[j] - above
                key = (room_below + room_above, *((i, j) if room_below >= room_above else (j, i)))
                best = key if best is None else min(best, key)
        return None if best is None else best[1:]
