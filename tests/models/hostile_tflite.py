"""Hostile .tflite files: each is well-formed, and asks the runtime for what it must not do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models import tflite_files as files
from tests.models.tflite_files import FLOAT32, operator, operator_code, packed, tensor

INT32, BOOL = schema.TensorType.INT32, schema.TensorType.BOOL
Made = Mapping[str, tuple[bytes, list[Any], list[str]]]
"""Bytes, inputs as [shape, dtype], and how a run may end, by name."""

REFUSED, CRASH, HANG, MEMORY, FINE = "error", "signal", "timeout", "oom", "ok"
_PIXELS = [1, 4, 4, 1]


def seeds() -> Made:
    """Good models, to be damaged: a classifier and a convolution, float and 8 bits."""
    return {
        "seed_dense": (packed(files.dense()), [[[1, 4], "float32"]], [FINE]),
        "seed_conv": (packed(files.conv()), [[[1, 2, 2, 1], "float32"]], [FINE]),
        "seed_int8": (packed(files.quantized([1 / 256], [-128])), [[[1, 2], "int8"]], [FINE]),
    }


def crafted() -> Made:
    """The attacks."""
    builtin = schema.BuiltinOperator
    found: dict[str, tuple[bytes, list[Any], list[str]]] = {
        "index_minus_one": _dense(lambda graph: setattr(graph.operators[1], "inputs", [-1])),
        "index_beyond": _dense(lambda graph: setattr(graph.operators[1], "inputs", [2**31 - 1])),
        "output_index_beyond": _dense(lambda graph: setattr(graph, "outputs", [99])),
        "buffer_beyond": _dense(lambda graph: setattr(graph.tensors[1], "buffer", 2**31)),
        "opcode_beyond": _dense(lambda graph: setattr(graph.operators[0], "opcodeIndex", 2**31)),
        "weights_of_another_size": _dense(lambda graph: setattr(graph.tensors[1], "shape", [2**20, 4])),
        "shape_overflow": _dense(lambda graph: setattr(graph.tensors[0], "shape", [2**31 - 1, 2**31 - 1])),
        "negative_shape": _dense(lambda graph: setattr(graph.tensors[0], "shape", [-4, -4])),
        "zero_channels": _made(files.conv(filter_channels=0), [1, 2, 2, 1]),
        "custom_operator": _made(files.custom_op(), [1, 2]),
        "flood_of_tensors": _made(_many_tensors(20_000), [1, 4]),
        "overlapping_lists": (files.overlapping("one list", 3000), [[[1, 4], "float32"]], [REFUSED, CRASH]),
        "stride_zero": _one(builtin.CONV_2D, _conv(strideW=0, strideH=0), more=_WEIGHTS),
        "dilation_zero": _one(builtin.CONV_2D, _conv(dilationWFactor=0, dilationHFactor=0), more=_WEIGHTS),
        "pool_of_nothing": _one(builtin.MAX_POOL_2D, _options("Pool2D", strideW=0, strideH=0)),
        "pool_beyond": _one(
            builtin.AVERAGE_POOL_2D, _options("Pool2D", strideW=1, strideH=1, filterWidth=2**31 - 1, filterHeight=1)
        ),
        "block_zero": _one(builtin.SPACE_TO_DEPTH, _options("SpaceToDepth", blockSize=0)),
        "multiplier_zero": _one(
            builtin.DEPTHWISE_CONV_2D,
            _options("DepthwiseConv2D", strideW=1, strideH=1, depthMultiplier=0),
            more=_WEIGHTS,
        ),
        "split_by_zero": _one(
            builtin.SPLIT, _options("Split", numSplits=0), more=[("axis", [1], INT32, np.int32([1]))], swapped=True
        ),
        "gather_beyond": _one(
            builtin.GATHER, _options("Gather", axis=1), more=[("at", [4], INT32, np.int32([2**31 - 1, -1, 9, 4]))]
        ),
        "fill_16_gib": _filled(2**16),
        "loop_without_end": _loop(),
        "loop_in_itself": _calls_itself(builtin.WHILE),
        "call_of_itself": _calls_itself(builtin.CALL_ONCE),
        "branch_beyond": _calls_itself(builtin.WHILE, graph=77),
    }
    return found


_WEIGHTS = [("weights", [1, 1, 1, 1], FLOAT32, np.ones(1, np.float32)), ("bias", [1], FLOAT32, np.zeros(1, np.float32))]


def _dense(change: Callable[[Any], None]) -> tuple[bytes, list[Any], list[str]]:
    made = files.dense_with(lambda model: change(model.subgraphs[0]))
    return made, [[[1, 4], "float32"]], [REFUSED, CRASH, FINE, MEMORY]


def _made(model: Any, shape: Sequence[int]) -> tuple[bytes, list[Any], list[str]]:
    return packed(model), [[list(shape), "float32"]], [REFUSED, CRASH, FINE]


def _options(name: str, **fields: int) -> Any:
    made = getattr(schema, f"{name}OptionsT")()
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def _conv(**fields: int) -> Any:
    return _options("Conv2D", **{"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1, **fields})


def _one(
    code: int, options: Any, *, more: Sequence[tuple[str, list[int], int, Any]] = (), swapped: bool = False
) -> tuple[bytes, list[Any], list[str]]:
    """A model of one operator on a picture of 4 by 4, with constants behind it or before it."""
    constants = [tensor(name, shape, dtype=dtype, buffer=at) for at, (name, shape, dtype, _) in enumerate(more, 1)]
    inputs = [0, *range(2, 2 + len(constants))]
    model = files.model(
        tensors=[tensor("x", _PIXELS), tensor("y", _PIXELS), *constants],
        operators=[operator(0, inputs[::-1] if swapped else inputs, [1], options)],
        codes=[operator_code(code)],
        buffers=[b"", *(values.tobytes() for *_, values in more)],
        io=([0], [1]),
    )
    return packed(model), [[_PIXELS, "float32"]], [REFUSED, CRASH, FINE, MEMORY]


def _many_tensors(count: int) -> Any:
    made = files.dense()
    made.subgraphs[0].tensors += [tensor("t", [1])] * count
    return made


def _filled(edge: int) -> tuple[bytes, list[Any], list[str]]:
    """A picture of `edge` by `edge` out of one number."""
    model = files.model(
        tensors=[tensor("size", [2], dtype=INT32, buffer=1), tensor("x", []), tensor("y", [edge, edge])],
        operators=[operator(0, [0, 1], [2], schema.FillOptionsT())],
        codes=[operator_code(schema.BuiltinOperator.FILL)],
        buffers=[b"", np.int32([edge, edge]).tobytes()],
        io=([1], [2]),
    )
    return packed(model), [[[1], "float32"]], [REFUSED, MEMORY, CRASH]


def _graph(tensors: list[Any], operators: list[Any], io: tuple[list[int], list[int]]) -> Any:
    made = schema.SubGraphT()
    made.tensors, made.operators, (made.inputs, made.outputs) = tensors, operators, io
    return made


def _loop() -> tuple[bytes, list[Any], list[str]]:
    """While x == x: x = x + x."""
    builtin, counter = schema.BuiltinOperator, lambda name: tensor(name, [1], dtype=INT32)
    options = _options("While", condSubgraphIndex=1, bodySubgraphIndex=2)
    model = files.model(
        tensors=[counter("x"), counter("y")],
        operators=[operator(0, [0], [1], options)],
        codes=[operator_code(builtin.WHILE), operator_code(builtin.EQUAL), operator_code(builtin.ADD)],
        buffers=[b""],
        io=([0], [1]),
    )
    again = tensor("again", [1], dtype=BOOL)
    model.subgraphs += [
        _graph([counter("x"), again], [operator(1, [0, 0], [1], schema.EqualOptionsT())], ([0], [1])),
        _graph([counter("x"), counter("y")], [operator(2, [0, 0], [1], schema.AddOptionsT())], ([0], [1])),
    ]
    return packed(model), [[[1], "int32"]], [HANG]


def _calls_itself(code: int, graph: int = 0) -> tuple[bytes, list[Any], list[str]]:
    """A graph that runs itself, or one that is not there."""
    builtin = schema.BuiltinOperator
    if code == builtin.WHILE:
        options, inputs, outputs = _options("While", condSubgraphIndex=graph, bodySubgraphIndex=graph), [0], [1]
    else:
        options, inputs, outputs = _options("CallOnce", initSubgraphIndex=graph), [], []
    model = files.model(
        tensors=[tensor("x", [1], dtype=BOOL), tensor("y", [1], dtype=BOOL)],
        operators=[operator(0, inputs, outputs, options)],
        codes=[operator_code(code)],
        buffers=[b""],
        io=([0], [1]),
    )
    return packed(model), [[[1], "bool"]], [REFUSED, CRASH, HANG, FINE]
