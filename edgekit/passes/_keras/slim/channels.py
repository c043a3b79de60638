"""Channels that live and die together: a disjoint-set forest over the channels of all tensors of a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
"""The channel of each position on a tensor's last axis (or on an axis of a weight), as numbers of `Channels`."""


class Channels:
    """Channels by number; joined ones are removed together, frozen ones never."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._frozen: set[int] = set()

    def __len__(self) -> int:
        return len(self._parents)

    def fresh(self, count: int) -> Ids:
        """New channels, each on its own."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count, dtype=np.int64)

    def join(self, left: Ids, right: Ids) -> None:
        """Tie two lists of channels of one length, position by position."""
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            low, high = sorted((self._root(one), self._root(other)))
            self._parents[high] = low

    def freeze(self, ids: Ids) -> None:
        """Keep these channels, and all that are or will be joined with them."""
        self._frozen.update(ids.tolist())

    def resolve(self, ids: Ids) -> Ids:
        """The number that all joined channels share, for each of these."""
        return np.array([self._root(one) for one in ids.tolist()], np.int64)

    def frozen(self) -> set[int]:
        """The resolved numbers of all frozen channels."""
        return {self._root(one) for one in self._frozen}

    def _root(self, one: int) -> int:
        while self._parents[one] != one:
            self._parents[one] = self._parents[self._parents[one]]
            one = self._parents[one]
        return one
