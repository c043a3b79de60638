"""A small float .tflite that needs no training: two dense layers with weights of a fixed generator."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

_SIZES = (16, 32, 8)


def float_tflite(seed: int = 0) -> bytes:
    """The bytes of a model: [1, 16] to [1, 8].

    Raises:
        ImportError: ai-edge-litert is not installed.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    rng = np.random.default_rng(seed)
    graph, model = schema.SubGraphT(), schema.ModelT()
    model.version, model.description, model.subgraphs = 3, b"small", [graph]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    model.operatorCodes, model.buffers = [code], [_buffer(schema, None)]
    graph.tensors, graph.operators = [_tensor(schema, "x", [1, _SIZES[0]], 0)], []
    for before, after in itertools.pairwise(_SIZES):
        given = len(graph.tensors) - 1
        for name, shape in (("weights", [after, before]), ("bias", [after])):
            model.buffers.append(_buffer(schema, rng.normal(size=shape).astype(np.float32)))
            graph.tensors.append(_tensor(schema, f"{name}_{after}", shape, len(model.buffers) - 1))
        graph.tensors.append(_tensor(schema, f"y_{after}", [1, after], 0))
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs = 0, [given, given + 1, given + 2]
        operator.outputs = [given + 3]
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], [len(graph.tensors) - 1]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(schema: Any, name: str, shape: list[int], buffer: int) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name.encode(), shape, schema.TensorType.FLOAT32, buffer
    return made


def _buffer(schema: Any, values: Any) -> Any:
    made = schema.BufferT()
    made.data = None if values is None else np.frombuffer(values.tobytes(), np.uint8)
    return made
