"""RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes under another shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Lowered, View
from edgekit.mcu.ops._base import Lower


def _view(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if given.size_bytes != made.size_bytes or given.dtype != made.dtype:
        raise node.refuse(f"turns {given.dtype}{list(given.shape)} into {made.dtype}{list(made.shape)}")
    return [View(input=given, output=made)]


LOWERINGS: Mapping[str, Lower] = {"RESHAPE": _view, "SQUEEZE": _view, "EXPAND_DIMS": _view}
