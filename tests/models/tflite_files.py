"""Small .tflite files, whole or broken in one place, built with the schema's object API and not with our reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FLOAT32, INT8 = schema.TensorType.FLOAT32, schema.TensorType.INT8
INPUTS, CLASSES = 4, 3


def packed(model: Any) -> bytes:
    """The bytes of a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(name: str, shape: Sequence[int], *, dtype: int = FLOAT32, buffer: int = 0) -> Any:
    """A tensor; buffer 0 is the empty one."""
    result = schema.TensorT()
    result.name, result.shape, result.type, result.buffer = name.encode(), list(shape), dtype, buffer
    return result


def operator(code: int, inputs: Sequence[int], outputs: Sequence[int], options: Any = None) -> Any:
    """An operator with its options table."""
    result = schema.OperatorT()
    result.opcodeIndex, result.inputs, result.outputs = code, list(inputs), list(outputs)
    if options is not None:
        result.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        result.builtinOptions = options
    return result


def operator_code(number: int, *, version: int = 1, custom: str | None = None) -> Any:
    """An entry of the operator table."""
    result = schema.OperatorCodeT()
    result.builtinCode, result.deprecatedBuiltinCode, result.version = number, min(number, 127), version
    result.customCode = custom
    return result


def model(
    tensors: list[Any], operators: list[Any], codes: list[Any], buffers: list[bytes], io: tuple[list[int], list[int]]
) -> Any:
    """A model of one graph; buffers[0] has to be empty."""
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, (graph.inputs, graph.outputs) = tensors, operators, io
    result = schema.ModelT()
    result.version, result.description = 3, b"made for a test"
    result.operatorCodes, result.subgraphs, result.buffers = codes, [graph], []
    for data in buffers:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8) if data else None
        result.buffers.append(buffer)
    return result


def dense(*, seed: int = 0) -> Any:
    """A float classifier: 4 values, one dense layer with bias, softmax over 3 classes."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(CLASSES, INPUTS)).astype(np.float32)
    bias = generator.normal(size=CLASSES).astype(np.float32)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    return model(
        tensors=[
            tensor("x", [1, INPUTS]),
            tensor("weights", [CLASSES, INPUTS], buffer=1),
            tensor("bias", [CLASSES], buffer=2),
            tensor("scores", [1, CLASSES]),
            tensor("y", [1, CLASSES]),
        ],
        operators=[operator(0, [0, 1, 2], [3], schema.FullyConnectedOptionsT()), operator(1, [3], [4], softmax)],
        codes=[operator_code(schema.BuiltinOperator.FULLY_CONNECTED), operator_code(schema.BuiltinOperator.SOFTMAX)],
        buffers=[b"", weights.tobytes(), bias.tobytes()],
        io=([0], [4]),
    )


def conv(*, filter_channels: int = 1) -> Any:
    """A 1x1 convolution over 2x2 pixels of one channel; 0 filter channels is what CVE-2023-27579 divides by."""
    weights = np.ones(filter_channels, np.float32).tobytes()
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = 1
    return model(
        tensors=[
            tensor("x", [1, 2, 2, 1]),
            tensor("weights", [1, 1, 1, filter_channels], buffer=1),
            tensor("bias", [1], buffer=2),
            tensor("y", [1, 2, 2, 1]),
        ],
        operators=[operator(0, [0, 1, 2], [3], options)],
        codes=[operator_code(schema.BuiltinOperator.CONV_2D)],
        buffers=[b"", weights, np.zeros(1, np.float32).tobytes()],
        io=([0], [3]),
    )


def custom_op(name: str = "FlexErf") -> Any:
    """A model whose only operator is one that no runtime has."""
    return model(
        tensors=[tensor("x", [1, 2]), tensor("y", [1, 2])],
        operators=[operator(0, [0], [1])],
        codes=[operator_code(schema.BuiltinOperator.CUSTOM, custom=name)],
        buffers=[b""],
        io=([0], [1]),
    )


def quantized(scales: Sequence[float], zero_points: Sequence[int], *, dtype: int = INT8) -> Any:
    """A softmax whose input and output carry this quantization."""
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    result = model(
        tensors=[tensor("x", [1, 2], dtype=dtype), tensor("y", [1, 2], dtype=dtype)],
        operators=[operator(0, [0], [1], softmax)],
        codes=[operator_code(schema.BuiltinOperator.SOFTMAX, version=2)],
        buffers=[b""],
        io=([0], [1]),
    )
    for each in result.subgraphs[0].tensors:
        each.quantization = schema.QuantizationParametersT()
        each.quantization.scale, each.quantization.zeroPoint = list(scales), list(zero_points)
    return result


def dense_with(change: Any) -> bytes:
    """The dense classifier after `change(model)`, packed."""
    made = dense()
    change(made)
    return packed(made)


def overlapping(kind: str, n: int) -> bytes:
    """A small file that says a lot: n tensors that share one shape of n axes, one table, or one long name."""
    builder = flatbuffers.Builder(1024)
    name = builder.CreateString("x" * (40 * n))
    builder.StartVector(4, n, 4)
    for _ in range(n):
        builder.PrependInt32(1)
    shape = builder.EndVector()

    def table() -> int:
        builder.StartObject(8)
        if kind != "one name":
            builder.PrependUOffsetTRelativeSlot(0, shape, 0)
        if kind == "one name":
            builder.PrependUOffsetTRelativeSlot(3, name, 0)
        return int(builder.EndObject())

    tables = [table()] * n if kind == "one table" else [table() for _ in range(n)]
    builder.StartVector(4, n, 4)
    for each in tables:
        builder.PrependUOffsetTRelative(each)
    tensors = builder.EndVector()
    graph = _table(builder, 5, {0: tensors})
    graphs = _list(builder, [graph])
    buffers = _list(builder, [_table(builder, 3, {})])
    builder.Finish(_table(builder, 8, {2: graphs, 4: buffers}), b"TFL3")
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, fields: int, offsets: dict[int, int]) -> int:
    builder.StartObject(fields)
    for field, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    return int(builder.EndObject())


def _list(builder: flatbuffers.Builder, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for each in reversed(tables):
        builder.PrependUOffsetTRelative(each)
    return int(builder.EndVector())
