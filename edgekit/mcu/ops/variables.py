"""READ_VARIABLE and ASSIGN_VARIABLE: copies from and to values that outlive a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.mcu.ir import Node, Value
from edgekit.mcu.layer import Core, Lowered
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._strided import Pattern, strided_copy


def _read(node: Node, _core: Core) -> Sequence[Lowered]:
    return _copied(node, node.input(0), node.output)


def _assign(node: Node, _core: Core) -> Sequence[Lowered]:
    return _copied(node, node.input(1), node.input(0))


def _copied(node: Node, given: Value, made: Value) -> Sequence[Lowered]:
    return [strided_copy(node, given, made, Pattern(sizes=(given.elements,), read=(1,), write=(1,)))]


LOWERINGS: Mapping[str, Lower] = {"ASSIGN_VARIABLE": _assign, "READ_VARIABLE": _read}
