"""In which order the layers of a branching network run so that the neediest step needs least.

A search over sets of layers that have run: what is live after them does not depend on their order, so each set is
worth visiting once. Sets come out in the order of the most that was needed on the way (Dijkstra's algorithm with the
maximum in place of the sum), so the first complete set is the best there is, by the bound of `_plan_bound`.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from edgekit.mcu._plan_bound import union_bound
from edgekit.mcu.ir import Value
from edgekit.mcu.layer import Layer
from edgekit.mcu.storage import Storage, allowed

_LIMIT = 3_000  # sets of layers: a second or two; without an answer by then, the file's order is kept


def reorder(layers: Sequence[Layer], storage: Storage) -> list[Layer]:
    """The layers in an order that needs least; the given order if no other one needs less.

    Results stay what they are bit for bit: a layer moves only past layers whose results it does not read, and past no
    layer that reads or writes memory that it writes.
    """
    network = _Network(layers, storage)
    limit = network.peak(range(len(layers)))
    if max((network.least(index) for index in range(len(layers))), default=0) >= limit:
        return list(layers)
    order = _search(network, limit)
    return [layers[index] for index in order] if order else list(layers)


def _search(network: _Network, limit: int) -> list[int]:
    """The best order of all that need less than `limit`; empty if there is none or the search is too long."""
    count = len(network.needs)
    reached: dict[int, int] = {0: 0}
    waiting: list[tuple[int, int, list[int]]] = [(0, 0, [])]
    visited: set[int] = set()
    while waiting and len(visited) < _LIMIT:
        peak, _, order = heapq.heappop(waiting)
        done = sum(1 << index for index in order)
        if done in visited:
            continue
        visited.add(done)
        if len(order) == count:
            return order
        for index in range(count):
            if done >> index & 1 or network.needs[index] & ~done:
                continue
            needed = max(peak, network.step(done, index))
            after = done | 1 << index
            if needed < min(limit, reached.get(after, limit)):
                reached[after] = needed
                heapq.heappush(waiting, (needed, -len(order), [*order, index]))
    return []


class _Network:
    """Layers as sets of owners; sets of layers are bit masks."""

    def __init__(self, layers: Sequence[Layer], storage: Storage) -> None:
        self._layers, self._storage = layers, storage
        self._reads = [storage.owners(layer.inputs) for layer in layers]
        self._writes = [storage.owners(layer.outputs) for layer in layers]
        self._kept = storage.owners((*storage.outputs, *storage.variables))
        self._given = storage.owners((*storage.inputs, *storage.variables))
        values = [value for layer in layers for value in (*layer.inputs, *layer.outputs)]
        self._sizes = _sizes([*values, *storage.inputs, *storage.outputs, *storage.variables], storage)
        self._users = {owner: self._mask(owner, self._reads, self._writes) for owner in self._sizes}
        self._writers = {owner: self._mask(owner, self._writes) for owner in self._sizes}
        self.needs = [self._dependencies(index) for index in range(len(layers))]

    def _mask(self, owner: int, *tables: Sequence[set[int]]) -> int:
        return sum({1 << index for table in tables for index, owners in enumerate(table) if owner in owners})

    def _dependencies(self, index: int) -> int:
        """The layers that have to run before."""
        reads, writes = self._reads[index], self._writes[index]
        return sum(
            1 << other
            for other in range(index)
            if self._writes[other] & (reads | writes) or self._reads[other] & writes
        )

    def peak(self, order: Sequence[int]) -> int:
        """What the neediest step of an order needs."""
        done, peak = 0, 0
        for index in order:
            peak = max(peak, self.step(done, index))
            done |= 1 << index
        return peak

    def least(self, index: int) -> int:
        """What a layer needs in every order: its own inputs, outputs and scratch."""
        touched = self._reads[index] | self._writes[index]
        return self._bound(index, touched, self._reads[index], self._writes[index])

    def step(self, done: int, index: int) -> int:
        """What is needed while a layer runs after the layers `done`."""
        now = done | 1 << index
        live, dying, born = set(), set(), set()
        for owner, users in self._users.items():
            written = self._writers[owner] & done or owner in self._given
            used_later = users & ~now or owner in self._kept
            if users >> index & 1 or (written and used_later) or (not done and owner in self._given):
                live.add(owner)
                if not used_later:
                    dying.add(owner)
                if not written:
                    born.add(owner)
        return self._bound(index, live, dying & self._reads[index], born)

    def _bound(self, index: int, live: set[int], dying: set[int], born: set[int]) -> int:
        layer = self._layers[index]
        may = allowed(layer, self._storage, dying, born & self._writes[index])
        return union_bound(sorted(live), self._sizes, may) + layer.scratch_bytes


def _sizes(values: Sequence[Value], storage: Storage) -> Mapping[int, int]:
    return {storage.owner(value): max(1, value.size_bytes) for value in values if value.data is None}
