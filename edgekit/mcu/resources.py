"""Resource variables: handles and the graph that CALL_ONCE runs become values that keep their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgekit.mcu.ir import Node, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_READ, _ASSIGN = "READ_VARIABLE", "ASSIGN_VARIABLE"


def with_state(
    nodes: Sequence[Node], initial: Sequence[Node], *, first_index: int
) -> tuple[tuple[Node, ...], tuple[Value, ...]]:
    """The nodes without handles, and the variables that READ_VARIABLE and ASSIGN_VARIABLE now name.

    Args:
        nodes: of the main graph.
        initial: of the graphs that CALL_ONCE names.
        first_index: of the new values.

    Raises:
        UnsupportedError: a handle from elsewhere, two shapes of one variable, initial values that are computed.
    """
    begin = _initial(initial)
    names = _handles(nodes)
    states: dict[str, Value] = {}
    found = []
    for node in nodes:
        if node.op in (_READ, _ASSIGN):
            name = _name(node, names)
            content = node.output if node.op == _READ else node.input(1)
            state = states.setdefault(name, _state(name, content, first_index + len(states), begin.get(name)))
            if (state.shape, state.dtype) != (content.shape, content.dtype):
                raise node.refuse(f"uses the variable {name!r} as {content.dtype}{list(content.shape)}")
            node = replace(node, inputs=(state, *node.inputs[1:]))
        if node.op not in ("VAR_HANDLE", "CALL_ONCE"):
            found.append(node)
    return tuple(found), tuple(states.values())


def _state(name: str, content: Value, index: int, initial: NDArray[Any] | None) -> Value:
    return replace(content, index=index, name=name, data=None, is_variable=True, initial=initial)


def _handles(nodes: Sequence[Node]) -> dict[int, str]:
    """Index of each handle to the name of its variable."""
    return {
        node.output.index: node.options.table.string(1) if node.options.table else ""
        for node in nodes
        if node.op == "VAR_HANDLE"
    }


def _name(node: Node, names: dict[int, str]) -> str:
    handle = node.input(0).index
    if handle not in names:
        raise node.refuse(f"takes the handle {node.input(0).name!r} from elsewhere")
    return names[handle]


def _initial(nodes: Sequence[Node]) -> dict[str, NDArray[Any]]:
    names = _handles(nodes)
    found = {}
    for node in nodes:
        if node.op == _ASSIGN:
            found[_name(node, names)] = node.constant(1)
        elif node.op != "VAR_HANDLE":
            raise node.refuse("computes what a variable begins with; the compiler takes constants")
    return found
