"""Weights of a parent model for a net of another shape: what overlaps is copied, layer kind by layer kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

Layer = tuple[str, Mapping[str, NDArray[Any]]]
"""A layer's kind, e.g. "Conv2D", and its arrays by their own names."""


def inherited(
    heir: Sequence[Layer], parent: Sequence[Layer], spatial: Mapping[str, Sequence[int]]
) -> tuple[list[dict[str, NDArray[Any]]], float]:
    """Arrays for a net, taken from a parent where they overlap.

    The n-th layer of a kind inherits from the parent's n-th of that kind. Of two arrays with one name and rank the
    leading channels are copied, and along the axes of a kernel what lies around the middle: a 3 x 3 kernel becomes the
    middle of a 5 x 5 one, whose rim keeps its own values.

    Args:
        heir: its layers in order, with their own first weights.
        parent: layers of the parent in order.
        spatial: axes of a kernel in height and width, by kind.

    Returns:
        New arrays of the heir's layers in order, and the share of the heir's values that were copied, 0 to 1.
    """
    known: dict[str, list[Mapping[str, NDArray[Any]]]] = defaultdict(list)
    for kind, arrays in parent:
        known[kind].append(arrays)
    places: dict[str, int] = defaultdict(int)
    result, copied, total = [], 0, 0
    for kind, arrays in heir:
        place = places[kind]
        places[kind] += 1
        theirs = known[kind][place] if place < len(known[kind]) else {}
        new = {}
        for name, array in arrays.items():
            other = theirs.get(name)
            new[name] = array.copy()
            total += array.size
            if other is not None and other.ndim == array.ndim and array.ndim:
                axes = spatial.get(kind, ()) if array.ndim > 2 else ()
                mine, yours = _overlap(array.shape, other.shape, axes)
                new[name][mine] = other[yours]
                copied += new[name][mine].size
        result.append(new)
    return result, copied / max(1, total)


def _overlap(
    mine: tuple[int, ...], yours: tuple[int, ...], centred: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The slices of two arrays that lie on each other."""
    ours, theirs = [], []
    for axis, (one, other) in enumerate(zip(mine, yours, strict=True)):
        size = min(one, other)
        first, second = ((one - size) // 2, (other - size) // 2) if axis in centred else (0, 0)
        ours.append(slice(first, first + size))
        theirs.append(slice(second, second + size))
    return tuple(ours), tuple(theirs)
