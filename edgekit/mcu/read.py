"""From a .tflite file to the compiler's network: shapes fixed, constants as arrays, variables told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import UnsupportedError
from edgekit.core.tflite.model import Graph, Model, Operator, Tensor
from edgekit.mcu.ir import ITEM_BYTES, Network, Node, Options, Value
from edgekit.mcu.resources import with_state

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_network(model: Model) -> Network:
    """Translate the main graph and the graphs that CALL_ONCE runs.

    Raises:
        UnsupportedError: a tensor type or a shape that the compiler does not take; the message names the tensor.
    """
    values, nodes = _graph(model.main)
    initial = [node for one in nodes if one.op == "CALL_ONCE" for node in _graph(_once(model, one))[1]]
    nodes, resources = with_state(nodes, initial, first_index=len(values))
    main = model.main
    return Network(
        nodes=nodes,
        inputs=tuple(values[index] for index in main.inputs),
        outputs=tuple(values[index] for index in main.outputs),
        variables=(*(value for value in values if value.is_variable), *resources),
    )


def _once(model: Model, node: Node) -> Graph:
    place = node.options.integer(0)
    if not 0 < place < len(model.graphs):
        raise node.refuse(f"calls graph {place} of {len(model.graphs)}", hint="convert the model again")
    return model.graphs[place]


def _graph(graph: Graph) -> tuple[list[Value], tuple[Node, ...]]:
    used = {index for operator in graph.operators for index in (*operator.inputs, *operator.outputs)}
    used |= {*graph.inputs, *graph.outputs}
    values = [_value(tensor, used=tensor.index in used) for tensor in graph.tensors]
    return values, tuple(_node(place, operator, values) for place, operator in enumerate(graph.operators))


def _node(place: int, operator: Operator, values: Sequence[Value]) -> Node:
    return Node(
        place=place,
        op=operator.name,
        version=operator.version,
        inputs=tuple(None if index < 0 else values[index] for index in operator.inputs),
        outputs=tuple(values[index] for index in operator.outputs),
        options=Options(table=operator.options),
    )


def _value(tensor: Tensor, *, used: bool) -> Value:
    if used and tensor.dtype not in ITEM_BYTES and tensor.dtype != "resource":
        raise UnsupportedError(
            f"tensor {tensor.name!r} is {tensor.dtype}, which the microcontroller compiler does not take",
            hint="quantize the model to int8: edgekit compile MODEL --calibration-data ...",
        )
    if used and (0 in tensor.shape or any(size < 0 for size in tensor.signature[1:])):
        raise UnsupportedError(
            f"tensor {tensor.name!r} has the shape {list(tensor.signature)}, of which only the first axis may be open",
            hint="export the model with a fixed input shape",
        )
    return Value(
        index=tensor.index,
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        quantization=tensor.quantization,
        data=_constant(tensor),
        is_variable=tensor.is_variable,
    )


def _constant(tensor: Tensor) -> NDArray[Any] | None:
    if not tensor.is_constant or tensor.dtype not in ITEM_BYTES:
        return None
    if len(tensor.data) != tensor.elements * ITEM_BYTES[tensor.dtype]:
        raise UnsupportedError(
            f"tensor {tensor.name!r} is stored sparse", hint="convert the model without sparse encoding"
        )
    return np.frombuffer(tensor.data, dtype=np.dtype(tensor.dtype).newbyteorder("<")).reshape(tensor.shape)
