"""Small surgery on .tflite files with the schema's object API: shapes, names, signature, dtypes of inputs, outputs."""

from __future__ import annotations

from typing import Any

from edgekit.core.errors import UnsupportedError


def unpack(data: bytes) -> Any:
    """The model as a tree of schema objects."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(data, 0)


def pack(model: Any) -> bytes:
    """The bytes of a tree of schema objects; the same tree gives the same bytes."""
    import flatbuffers

    builder = flatbuffers.Builder(1024 * 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_static_shapes(model: Any) -> None:
    """Fix every open axis to the size in the file, which is 1 for the batch.

    Raises:
        UnsupportedError: an input is open beyond its first axis.
    """
    graph = model.subgraphs[0]
    for index in graph.inputs:
        tensor = graph.tensors[index]
        signature = list(tensor.shapeSignature) if tensor.shapeSignature is not None else []
        if any(size < 0 for size in signature[1:]):
            raise UnsupportedError(
                f"input {_text(tensor.name)!r} has the open shape {signature}", hint="export the model with fixed sizes"
            )
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.shapeSignature = None


def with_signature(model: Any, key: str) -> list[str]:
    """Give the model a signature when it has none; returns the names of its inputs in order."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    for definition in model.signatureDefs or []:
        if _text(definition.signatureKey) == key:
            names = {entry.tensorIndex: _text(entry.name) for entry in definition.inputs}
            return [names[index] for index in graph.inputs]

    def entries(indices: Any) -> list[Any]:
        result = []
        for index in indices:
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = graph.tensors[index].name, int(index)
            result.append(entry)
        return result

    definition = schema.SignatureDefT()
    definition.signatureKey, definition.subgraphIndex = key.encode(), 0
    definition.inputs, definition.outputs = entries(graph.inputs), entries(graph.outputs)
    model.signatureDefs = [definition]
    return [_text(entry.name) for entry in definition.inputs]


def with_names(model: Any) -> None:
    """Name the tensors that have no name, as `edgekit.core.tflite.model` calls them: the quantizer tells them by it."""
    for subgraph in model.subgraphs:
        for index, tensor in enumerate(subgraph.tensors):
            if not tensor.name:
                tensor.name = f"tensor {index}".encode()


def with_io(model: Any, dtype: str) -> None:
    """Give every quantized input and output another type, by an operator before or behind it.

    Args:
        model: what `unpack` gave; inputs and outputs that are not quantized (tokens, masks) stay as they are.
        dtype: "float32", or "uint8" for an int8 model.

    Raises:
        UnsupportedError: the model's own type cannot be had from this one.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    into = _operator_code(model, schema.BuiltinOperator.QUANTIZE)
    out_of = into if dtype == "uint8" else _operator_code(model, schema.BuiltinOperator.DEQUANTIZE)
    graph.inputs, graph.outputs = list(graph.inputs), list(graph.outputs)  # they come as arrays that may only be read
    first, last, renamed = [], [], {}
    for place, index in enumerate(graph.inputs):
        if _is_quantized(graph.tensors[index]):
            outside = _twin(graph, int(index), dtype)
            first.append(_operator(into, outside, int(index)))
            graph.inputs[place] = renamed[int(index)] = outside
    for place, index in enumerate(graph.outputs):
        if _is_quantized(graph.tensors[index]):
            outside = _twin(graph, int(index), dtype)
            last.append(_operator(out_of, int(index), outside))
            graph.outputs[place] = renamed[int(index)] = outside
    graph.operators = [*first, *graph.operators, *last]
    for definition in model.signatureDefs or []:
        for entry in [*definition.inputs, *definition.outputs]:
            entry.tensorIndex = renamed.get(entry.tensorIndex, entry.tensorIndex)


def _operator_code(model: Any, builtin: int) -> int:
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _operator(code: int, source: int, target: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [source], [target]
    return operator


def _is_quantized(tensor: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    integers = (schema.TensorType.INT8, schema.TensorType.INT16, schema.TensorType.UINT8)
    return tensor.type in integers and tensor.quantization is not None and tensor.quantization.scale is not None


def _twin(graph: Any, index: int, dtype: str) -> int:
    """A new tensor that holds the same values as float32 or uint8."""
    from ai_edge_litert import schema_py_generated as schema

    inner, outer = graph.tensors[index], schema.TensorT()
    outer.shape, outer.buffer = inner.shape, 0
    if dtype == "float32":
        outer.type, outer.name = schema.TensorType.FLOAT32, inner.name + b"_float"
    elif inner.type == schema.TensorType.INT8:  # the same grid, moved by 128
        outer.type, outer.name = schema.TensorType.UINT8, inner.name + b"_uint8"
        outer.quantization = schema.QuantizationParametersT()
        outer.quantization.scale = inner.quantization.scale
        outer.quantization.zeroPoint = [int(inner.quantization.zeroPoint[0]) + 128]
    else:
        raise UnsupportedError(f"an int16 model cannot be given {dtype} inputs", hint="use io int16 or float32")
    graph.tensors.append(outer)
    return len(graph.tensors) - 1


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")
