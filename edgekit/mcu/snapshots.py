"""Whether a value may stay where it is read from: a variable that changes before the last use has to be copied."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.mcu.ir import Network
from edgekit.mcu.layer import Layer, Lowered, View


def settle(network: Network, lowered: Sequence[Lowered]) -> list[Lowered]:
    """Views of variables that stay what they were as long as anything reads them; the others become copies."""
    kept = {value.index for value in network.outputs}
    return [
        item.instead if isinstance(item, View) and item.instead and _changes(item, lowered[place + 1 :], kept) else item
        for place, item in enumerate(lowered)
    ]


def _changes(view: View, later: Sequence[Lowered], kept: set[int]) -> bool:
    """Whether something writes what is viewed before the last use of the view, or of a view of it."""
    names, is_written = {view.output.index}, False
    for item in later:
        if isinstance(item, View):
            if item.input.index in names:
                names.add(item.output.index)
            continue
        writes = _has(item, {view.input.index}, outputs=True)
        if _has(item, names) and (is_written or writes):
            return True
        is_written = is_written or writes
    return is_written and bool(names & kept)


def _has(layer: Layer, names: set[int], *, outputs: bool = False) -> bool:
    return any(value.index in names for value in (layer.outputs if outputs else layer.inputs))
