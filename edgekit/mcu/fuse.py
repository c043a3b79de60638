"""Which layers run row by row as one, so that the neediest step needs less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgekit.mcu._packing import distances
from edgekit.mcu._plan_bound import step_bounds
from edgekit.mcu.layer import Layer
from edgekit.mcu.order import reorder
from edgekit.mcu.rows import chain, stage
from edgekit.mcu.storage import Storage, memory, share_in_place

_LONGEST = 6
_BLOCKS = (8, 4, 2)  # rows at a time, where that costs no memory: fewer calls

Chains = Mapping[int, tuple[int, int]]
"""First layer of each chain to (one past its last layer, rows at a time)."""


def fuse(layers: Sequence[Layer], storage: Storage) -> list[Layer]:
    """Replace chains at the neediest step by layers that need less, as long as there are any.

    Args:
        layers: in their order.
        storage: owners, without the sharing of layers that work in place.
    """
    search = _Search(layers, storage)
    chains: Chains = {}
    while (better := search.better(chains)) is not None:
        chains = better
    return search.build(search.widen(chains))


class _Search:
    def __init__(self, layers: Sequence[Layer], storage: Storage) -> None:
        self._layers, self._storage = layers, storage
        self._stages = [stage(layer) for layer in layers]
        self._built: dict[tuple[int, int, int], Layer] = {}
        kept = storage.owners((*storage.outputs, *storage.variables))
        reads = [storage.owners(layer.inputs) for layer in layers]
        self._links = [self._is_linked(number, reads, kept) for number in range(len(layers) - 1)]

    def better(self, chains: Chains) -> Chains | None:
        """With a chain through the neediest step that lowers what it needs most; of equals the shortest."""
        needs = self._needs(chains)
        first, end = self._range(chains, needs.index(max(needs)))
        best: tuple[int, int, int, Chains] | None = None
        for begin, stop in self._candidates(first, end):
            apart = {at: one for at, one in chains.items() if one[0] <= begin or stop <= at}
            tried = {**apart, begin: (stop, 1)}
            key = (max(self._needs(tried)), stop - begin, begin)
            if key[0] < max(needs) and (best is None or key < best[:3]):
                best = (*key, tried)
        return None if best is None else best[3]

    def widen(self, chains: Chains) -> Chains:
        """More rows at a time where the arena stays as small, in the best order of the layers."""
        limit = self._peak(chains)
        for first, (end, _) in chains.items():
            for block in _BLOCKS:
                tried = {**chains, first: (end, block)}
                if self._peak(tried) <= limit:
                    chains = tried
                    break
        return chains

    def build(self, chains: Chains) -> list[Layer]:
        """The layers with these chains."""
        made, at = [], 0
        while at < len(self._layers):
            end, block = chains.get(at, (at + 1, 0))
            made.append(self._chain(at, end, block) if block else self._layers[at])
            at = end
        return made

    def _chain(self, first: int, end: int, block: int) -> Layer:
        key = (first, end, block)
        if key not in self._built:
            self._built[key] = chain([one for one in self._stages[first:end] if one is not None], block)
        return self._built[key]

    def _range(self, chains: Chains, step: int) -> tuple[int, int]:
        """The layers that run in a step, as [first, end)."""
        first = 0
        for _ in range(step):
            first = chains.get(first, (first + 1, 0))[0]
        return first, chains.get(first, (first + 1, 0))[0]

    def _candidates(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Chains [begin, stop) that a layer of [first, end) is part of, or reads or writes an end of."""
        for begin in range(max(0, first - _LONGEST), min(end + 1, len(self._layers))):
            for stop in range(begin + 1, min(begin + _LONGEST, len(self._layers)) + 1):
                one = self._stages[stop - 1]
                if one is None or (stop - begin > 1 and not self._links[stop - 2]):
                    break
                if stop - begin > 1 and stop >= first:
                    yield begin, stop
                if one.is_binary:  # nothing comes after it
                    break

    def _is_linked(self, number: int, reads: Sequence[set[int]], kept: set[int]) -> bool:
        """Whether nothing but the next layer reads what a layer computes."""
        made = self._layers[number].outputs[0]
        owner = self._storage.owner(made)
        readers = [place for place, owners in enumerate(reads) if owner in owners]
        is_input = [value.index == made.index for value in self._layers[number + 1].inputs]
        return readers == [number + 1] and is_input.count(True) == 1 and owner not in kept

    def _peak(self, chains: Chains) -> int:
        layers = self.build(chains)
        shared = share_in_place(layers, self._storage)
        return max(_needs(reorder(layers, shared), shared))

    def _needs(self, chains: Chains) -> list[int]:
        layers = self.build(chains)
        return _needs(layers, share_in_place(layers, self._storage))


def _needs(layers: Sequence[Layer], storage: Storage) -> list[int]:
    """What each step needs, bytes."""
    needed = memory(layers, storage)
    sizes = [-(-block.size_bytes // 4) * 4 for block in needed.blocks]
    return step_bounds(needed.blocks, sizes, distances(needed.overlaps, 1))
