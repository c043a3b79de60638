"""READ_VARIABLE and ASSIGN_VARIABLE: values that outlive a call, read where they are and written by a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node, Value
from edgekit.mcu.layer import Core, Layer, Lowered, View
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._strided import Pattern, strided_copy


def _read(node: Node, _core: Core) -> Sequence[Lowered]:
    state, made = node.input(0), node.output
    return [View(input=state, output=made, instead=_copy(node, state, made))]


def _assign(node: Node, _core: Core) -> Sequence[Lowered]:
    return [_copy(node, node.input(1), node.input(0))]


def _copy(node: Node, given: Value, made: Value) -> Layer:
    return strided_copy(node, given, made, Pattern(sizes=(given.elements,), read=(1,), write=(1,)))


LOWERINGS: Mapping[str, Lower] = {"ASSIGN_VARIABLE": _assign, "READ_VARIABLE": _read}
