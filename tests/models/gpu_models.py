"""One .tflite for each operator, as small as it gets: what the GPU delegate is asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models.tflite_files import model, operator, operator_code, packed, tensor

Shape = Sequence[int]
_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(bool): schema.TensorType.BOOL,
}
IMAGE = (1, 4, 4, 4)
_UNARY = (
    "ABS CEIL COS ELU EXP FLOOR GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC NEG RELU RELU6 RELU_N1_TO_1 ROUND RSQRT SIGN "
    "SIN SQRT SQUARE TANH L2_NORMALIZATION LOG_SOFTMAX RELU_0_TO_1 ZEROS_LIKE"
)
_BINARY = "ADD SUB MUL DIV MAXIMUM MINIMUM POW ATAN2 FLOOR_DIV FLOOR_MOD SQUARED_DIFFERENCE"
_COMPARISONS = "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL"
_REDUCTIONS = "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD"


def one_op(
    name: str,
    inputs: Sequence[Shape | np.ndarray],
    output: Shape,
    options: Any = None,
    *,
    dtype: Any = np.float32,
    output_dtype: Any = None,
    version: int = 1,
    outputs: int = 1,
) -> bytes:
    """A model with one operator.

    Args:
        name: of the built-in operator.
        inputs: a shape for an input of the model, an array for a constant.
        output: shape of each output.
        options: its table of settings.
        dtype, output_dtype: of inputs and outputs.
        version: of the operator.
        outputs: number of them.
    """
    tensors, buffers, shaped = [], [b""], []
    for number, value in enumerate(inputs):
        if isinstance(value, np.ndarray):
            buffers.append(value.tobytes())
            tensors.append(tensor(f"constant{number}", value.shape, dtype=_TYPES[value.dtype], buffer=len(buffers) - 1))
        else:
            shaped.append(number)
            tensors.append(tensor(f"x{number}", value, dtype=_TYPES[np.dtype(dtype)]))
    kind = _TYPES[np.dtype(output_dtype or dtype)]
    made = list(range(len(tensors), len(tensors) + outputs))
    tensors += [tensor(f"y{number}", output, dtype=kind) for number in range(outputs)]
    number = getattr(schema.BuiltinOperator, name)
    operators = [operator(0, range(len(inputs)), made, options)]
    return packed(model(tensors, operators, [operator_code(number, version=version)], buffers, (shaped, made)))


def with_options(name: str, **values: Any) -> Any:
    """An operator's table of settings, e.g. "Conv2D"."""
    options = getattr(schema, f"{name}OptionsT")()
    for key, value in values.items():
        setattr(options, key, value)
    return options


def normal(*shape: int) -> np.ndarray:
    """Weights."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def whole(*values: int | list[int]) -> np.ndarray:
    """Sizes, axes and positions."""
    return np.asarray(values, np.int32)


def conv(groups: int, inside: int, outside: int) -> bytes:
    """A 1x1 convolution in groups of so many input and output channels."""
    options = with_options("Conv2D", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    weights, bias = normal(groups * outside, 1, 1, inside), normal(groups * outside)
    return one_op("CONV_2D", [(1, 4, 4, groups * inside), weights, bias], (1, 4, 4, groups * outside), options)


def cumsum(shape: Shape, axis: int, **options: bool) -> bytes:
    """A running sum."""
    return one_op("CUMSUM", [shape, np.asarray(axis, np.int32)], shape, with_options("Cumsum", **options))


def padded(name: str, margins: Sequence[Sequence[int]], shape: Shape = IMAGE, options: Any = None) -> bytes:
    """PAD or MIRROR_PAD by margins before and after each axis."""
    sizes = [size + sum(margin) for size, margin in zip(shape, margins, strict=True)]
    return one_op(name, [shape, whole(*map(list, margins))], sizes, options)


def open_batch() -> bytes:
    """A RELU whose batch is left open."""
    made = schema.ModelT.InitFromPackedBuf(one_op("RELU", [(1, 8)], (1, 8)), 0)
    for each in made.subgraphs[0].tensors:
        each.shapeSignature = [-1, 8]
    return packed(made)


def sum_of_three() -> bytes:
    """Two layers, of which the delegate refuses the second: ADD_N takes two tensors, not three."""
    tensors = [tensor("x", [1, 8]), tensor("relu", [1, 8]), tensor("sum", [1, 8])]
    codes = [operator_code(schema.BuiltinOperator.RELU), operator_code(schema.BuiltinOperator.ADD_N)]
    operators = [operator(0, [0], [1]), operator(1, [0, 1, 1], [2], schema.AddNOptionsT())]
    return packed(model(tensors, operators, codes, [b""], ([0], [2])))


def sample() -> dict[str, bytes]:
    """One model for each rule, on either side of it."""
    axis, strided = whole(1, 2), with_options("StridedSlice")
    reflect, symmetric = with_options("MirrorPad", mode=0), with_options("MirrorPad", mode=1)
    shrink, ones = with_options("StridedSlice", shrinkAxisMask=2), whole(1, 1, 1, 1)
    begin, end = whole(0, 1, 0, 0), whole(1, 3, 4, 4)
    image_bool = np.ones(IMAGE, bool)
    return {
        "ADD": one_op("ADD", [IMAGE, IMAGE], IMAGE, with_options("Add")),
        "ADD, int64": one_op("ADD", [(1, 4), (1, 4)], (1, 4), with_options("Add"), dtype=np.int64),
        "ADD, 5 axes": one_op("ADD", [(1, 2, 2, 2, 2)] * 2, (1, 2, 2, 2, 2), with_options("Add")),
        "ADD_N, 2": one_op("ADD_N", [IMAGE] * 2, IMAGE, with_options("AddN")),
        "ADD_N, 3": sum_of_three(),
        "BROADCAST_TO": one_op("BROADCAST_TO", [(1, 1, 4), whole(1, 4, 4)], (1, 4, 4), version=2),
        "CONV_2D": conv(1, 4, 4),
        "CONV_2D, groups of 2": conv(2, 2, 2),
        "CONV_2D, groups of 4": conv(2, 4, 4),
        "CUMSUM": cumsum((1, 8, 4), 1),
        "CUMSUM, axis -1": cumsum((1, 8), -1),
        "CUMSUM, reverse": cumsum((1, 8, 4), 1, reverse=True),
        "GATHER": one_op("GATHER", [(1, 8), whole(0, 2)], (1, 2), with_options("Gather", axis=1)),
        "GATHER, 2 axes": one_op("GATHER", [(1, 8), whole([0, 2])], (1, 1, 2), with_options("Gather", axis=1)),
        "MEAN": one_op("MEAN", [IMAGE, axis], (1, 1, 1, 4), with_options("Reducer", keepDims=True)),
        "MIRROR_PAD": padded("MIRROR_PAD", [(0, 0), (1, 1), (1, 1), (0, 0)], options=reflect),
        "MIRROR_PAD, symmetric": padded("MIRROR_PAD", [(0, 0), (1, 1), (1, 1), (0, 0)], options=symmetric),
        "PAD": padded("PAD", [(0, 0), (1, 1), (1, 1), (0, 0)]),
        "PAD, 2 axes": padded("PAD", [(0, 0), (1, 1)], (1, 8)),
        "PAD, batch": padded("PAD", [(1, 0), (0, 0), (0, 0), (0, 0)]),
        "PRELU": one_op("PRELU", [IMAGE, normal(4)], IMAGE),
        "PRELU, slopes given": one_op("PRELU", [IMAGE, IMAGE], IMAGE),
        "RELU, open batch": open_batch(),
        "RESHAPE, at run time": one_op("RESHAPE", [(1, 8), (2,)], (1, 8), with_options("Reshape")),
        "SELECT_V2": one_op("SELECT_V2", [image_bool, IMAGE, normal(1)], IMAGE, with_options("SelectV2")),
        "SELECT_V2, a row": one_op("SELECT_V2", [image_bool, IMAGE, normal(4)], IMAGE, with_options("SelectV2")),
        "STRIDED_SLICE": one_op("STRIDED_SLICE", [IMAGE, begin, end, ones], (1, 2, 4, 4), strided),
        "STRIDED_SLICE, one axis less": one_op("STRIDED_SLICE", [IMAGE, begin, end, ones], (1, 4, 4), shrink),
        "STRIDED_SLICE, backwards": one_op(
            "STRIDED_SLICE", [IMAGE, whole(0, 3, 0, 0), whole(1, 1, 4, 4), whole(1, -1, 1, 1)], (1, 2, 4, 4), strided
        ),
        "SQUEEZE": one_op("SQUEEZE", [(1, 1, 8)], (1, 8), with_options("Squeeze", squeezeDims=[1])),
    }


def matrix() -> dict[str, bytes]:
    """One model for each operator that has no rule of its own."""
    found = {name: one_op(name, [IMAGE], IMAGE, _OPTIONS.get(name, lambda: None)()) for name in _UNARY.split()}
    found |= {name: one_op(name, [IMAGE, IMAGE], IMAGE, _OPTIONS.get(name, lambda: None)()) for name in _BINARY.split()}
    found |= {name: one_op(name, [IMAGE, IMAGE], IMAGE, output_dtype=bool) for name in _COMPARISONS.split()}
    for name in _REDUCTIONS.split():
        found[name] = one_op(name, [IMAGE, whole(1, 2)], (1, 4), with_options("Reducer", keepDims=False))
    pool = with_options("Pool2D", strideH=2, strideW=2, filterHeight=2, filterWidth=2)
    for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        found[name] = one_op(name, [IMAGE], (1, 2, 2, 4), pool)
    for name in ("ARG_MAX", "ARG_MIN"):
        options = with_options("ArgMax" if name == "ARG_MAX" else "ArgMin", outputType=schema.TensorType.INT32)
        found[name] = one_op(name, [(1, 8), np.asarray(1, np.int32)], (1,), options, output_dtype=np.int32)
    for name, key in (("RESIZE_BILINEAR", "ResizeBilinear"), ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighbor")):
        found[name] = one_op(name, [IMAGE, whole(8, 8)], (1, 8, 8, 4), with_options(key))
    return found | _shaping() | _weighted()


def _shaping() -> dict[str, bytes]:
    blocks = [whole(2, 2), whole([0, 0], [0, 0])]
    return {
        "BATCH_MATMUL": one_op("BATCH_MATMUL", [(1, 4, 8), (1, 8, 6)], (1, 4, 6), with_options("BatchMatMul")),
        "BATCH_TO_SPACE_ND": one_op("BATCH_TO_SPACE_ND", [(4, 2, 2, 4), *blocks], (1, 4, 4, 4)),
        "CONCATENATION": one_op("CONCATENATION", [IMAGE, IMAGE], (1, 4, 4, 8), with_options("Concatenation", axis=3)),
        "DEPTH_TO_SPACE": one_op("DEPTH_TO_SPACE", [IMAGE], (1, 8, 8, 1), with_options("DepthToSpace", blockSize=2)),
        "EXPAND_DIMS": one_op("EXPAND_DIMS", [(1, 8), np.asarray(1, np.int32)], (1, 1, 8)),
        "PACK": one_op("PACK", [(1, 8)] * 2, (1, 2, 8), with_options("Pack", axis=1, valuesCount=2)),
        "RESHAPE": one_op("RESHAPE", [IMAGE, whole(1, 64)], (1, 64), with_options("Reshape", newShape=[1, 64])),
        "REVERSE_V2": one_op("REVERSE_V2", [(1, 8), whole(1)], (1, 8)),
        "SLICE": one_op("SLICE", [IMAGE, whole(0, 1, 1, 0), whole(1, 2, 2, 4)], (1, 2, 2, 4)),
        "SOFTMAX": one_op("SOFTMAX", [(1, 8)], (1, 8), with_options("Softmax", beta=1.0)),
        "SPACE_TO_BATCH_ND": one_op("SPACE_TO_BATCH_ND", [IMAGE, *blocks], (4, 2, 2, 4)),
        "SPACE_TO_DEPTH": one_op("SPACE_TO_DEPTH", [IMAGE], (1, 2, 2, 16), with_options("SpaceToDepth", blockSize=2)),
        "SPLIT": one_op(
            "SPLIT", [np.asarray(3, np.int32), IMAGE], (1, 4, 4, 2), with_options("Split", numSplits=2), outputs=2
        ),
        "TILE": one_op("TILE", [IMAGE, whole(1, 2, 1, 1)], (1, 8, 4, 4)),
        "TRANSPOSE": one_op("TRANSPOSE", [IMAGE, whole(0, 3, 1, 2)], IMAGE),
        "UNPACK": one_op("UNPACK", [(1, 3, 4)], (1, 4), with_options("Unpack", axis=1, num=3), outputs=3),
    }


def _weighted() -> dict[str, bytes]:
    depthwise = with_options(
        "DepthwiseConv2D", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1, depthMultiplier=1
    )
    volume = with_options("Conv3D", strideD=1, strideH=1, strideW=1, dilationDFactor=1, dilationHFactor=1)
    volume.dilationWFactor = 1
    transposed = with_options("TransposeConv", strideH=2, strideW=2)
    return {
        "CONV_3D": one_op("CONV_3D", [(1, 2, 4, 4, 4), normal(1, 1, 1, 4, 4)], (1, 2, 4, 4, 4), volume),
        "DEPTHWISE_CONV_2D": one_op("DEPTHWISE_CONV_2D", [IMAGE, normal(1, 3, 3, 4), normal(4)], IMAGE, depthwise),
        "FULLY_CONNECTED": one_op(
            "FULLY_CONNECTED", [(1, 8), normal(3, 8), normal(3)], (1, 3), with_options("FullyConnected")
        ),
        "TRANSPOSE_CONV": one_op(
            "TRANSPOSE_CONV", [whole(1, 8, 8, 2), normal(2, 3, 3, 4), IMAGE], (1, 8, 8, 2), transposed
        ),
    }


_OPTIONS: dict[str, Callable[[], Any]] = {
    "ADD": lambda: with_options("Add"),
    "SUB": lambda: with_options("Sub"),
    "MUL": lambda: with_options("Mul"),
    "DIV": lambda: with_options("Div"),
    "GELU": lambda: with_options("Gelu", approximate=True),
    "LEAKY_RELU": lambda: with_options("LeakyRelu", alpha=0.1),
    "L2_NORMALIZATION": lambda: with_options("L2Norm"),
}
"""Settings that a kernel of these operators reads."""
