"""A .tflite file as plain values: tensors, operators, inputs and outputs, each reference checked.

Field numbers follow TensorFlow Lite's schema.fbs, version 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import MalformedModelError
from edgekit.core.tflite.flatbuffer import Buffer, Table
from edgekit.core.tflite.names import BUILTIN_OPERATORS, TENSOR_TYPES

IDENTIFIER = b"TFL3"
_MAX_ELEMENTS = 2**31 - 1
_BITS = {
    "float32": 32, "float16": 16, "int32": 32, "uint8": 8, "int64": 64, "bool": 8, "int16": 16, "complex64": 64,
    "int8": 8, "float64": 64, "complex128": 128, "uint64": 64, "uint32": 32, "uint16": 16, "int4": 4, "bfloat16": 16,
    "int2": 2, "uint4": 4, "float8_e4m3fn": 8, "float8_e5m2": 8,
}  # fmt: skip
_WEIGHTED = {"CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-(2**15), 2**15 - 1)}


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """Affine quantization: real = scale * (quantized - zero_point), per tensor or per channel of one axis."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One tensor of a graph; `data` is empty unless the file holds its values."""

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    data: memoryview
    quantization: Quantization | None
    is_variable: bool

    @property
    def is_constant(self) -> bool:
        """Whether the file holds its values."""
        return len(self.data) > 0

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def is_dynamic(self) -> bool:
        """Whether an axis is left open in the signature."""
        return any(size < 0 for size in self.signature)

    def spec(self) -> TensorSpec:
        """As the input or output of a model."""
        per_tensor = self.quantization is not None and len(self.quantization.scales) == 1
        return TensorSpec(
            name=self.name,
            shape=self.signature,
            dtype=self.dtype,
            scale=self.quantization.scales[0] if per_tensor and self.quantization else None,
            zero_point=self.quantization.zero_points[0] if per_tensor and self.quantization else None,
        )


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator; indices are into the graph's tensors, -1 is an optional input left out.

    `options` is its table of settings, of a form of its own for each operator; None where the file has none.
    """

    name: str
    version: int
    is_custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One subgraph."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A whole file; the first graph is the one that is called."""

    version: int
    description: str
    graphs: tuple[Graph, ...]

    @property
    def main(self) -> Graph:
        """The graph that an interpreter invokes."""
        return self.graphs[0]

    def input_specs(self) -> tuple[TensorSpec, ...]:
        """Signature of the main graph's inputs."""
        return tuple(self.main.tensors[index].spec() for index in self.main.inputs)

    def output_specs(self) -> tuple[TensorSpec, ...]:
        """Signature of the main graph's outputs."""
        return tuple(self.main.tensors[index].spec() for index in self.main.outputs)


def is_tflite(head: bytes) -> bool:
    """Whether a file's first eight bytes carry the format's identifier."""
    return head[4:8] == IDENTIFIER


def read_model(path: Path) -> Model:
    """Read and check a .tflite file.

    Raises:
        MalformedModelError: a damaged or contradictory file; the message names the place.
    """
    return parse_model(path.read_bytes())


def parse_model(data: bytes) -> Model:
    """As `read_model`, from bytes."""
    if not is_tflite(data[:8]):
        raise MalformedModelError("the file is not a .tflite model: its identifier is missing", hint="convert it first")
    root = Buffer(data).root()
    buffers = [_buffer_data(table, data) for table in root.tables(4)]
    codes = [_operator_code(table) for table in root.tables(1)]
    graphs = tuple(_graph(table, codes, buffers) for table in root.tables(2))
    if not graphs:
        raise MalformedModelError("the model holds no graph", hint="convert it again")
    if not graphs[0].inputs or not graphs[0].outputs:
        missing = "inputs" if not graphs[0].inputs else "outputs"
        raise MalformedModelError(f"the model has no {missing}", hint="export it with a signature")
    return Model(version=root.scalar(0, "I"), description=root.string(3), graphs=graphs)


def _buffer_data(table: Table, data: bytes) -> memoryview:
    offset, size = table.scalar(1, "Q"), table.scalar(2, "Q")
    if offset > 1:  # models above 2 GiB keep their values behind the flatbuffer
        if offset + size > len(data):
            raise MalformedModelError(
                f"a buffer of {size} bytes lies past the end of the file", hint="is the file cut?"
            )
        return memoryview(data)[offset : offset + size]
    return table.blob(0)


def _operator_code(table: Table) -> tuple[str, int, bool]:
    number = max(table.scalar(3, "i"), table.scalar(0, "b"))
    if not 0 <= number < len(BUILTIN_OPERATORS):
        raise MalformedModelError(
            f"the model uses operator number {number}, which this edgekit does not know", hint="update edgekit"
        )
    name = BUILTIN_OPERATORS[number]
    if name == "CUSTOM":
        return table.string(1) or "CUSTOM", table.scalar(2, "i", 1), True
    return name, table.scalar(2, "i", 1), False


def _graph(table: Table, codes: Sequence[tuple[str, int, bool]], buffers: Sequence[memoryview]) -> Graph:
    tensors = tuple(_tensor(index, entry, buffers) for index, entry in enumerate(table.tables(0)))
    operators = tuple(_operator(entry, codes, len(tensors)) for entry in table.tables(3))
    for operator in operators:
        _check_weights(operator, tensors)
    inputs, outputs = table.integers(1, "i"), table.integers(2, "i")
    _check_indices(inputs + outputs, len(tensors), "the graph's signature", optional=False)
    return Graph(tensors=tensors, operators=operators, inputs=inputs, outputs=outputs)


def _check_weights(operator: Operator, tensors: Sequence[Tensor]) -> None:
    """Kernels divide by the sizes of their weights (CVE-2023-27579)."""
    if operator.name not in _WEIGHTED or len(operator.inputs) < 2:
        return
    weights = tensors[operator.inputs[1]]
    if operator.inputs[1] >= 0 and weights.shape and not weights.elements:
        raise MalformedModelError(
            f"the weights {weights.name!r} of {operator.name} have the shape {list(weights.shape)}",
            hint="convert it again",
        )
    required = operator.inputs[:2]
    if -1 in required:
        raise MalformedModelError(f"{operator.name} lacks a required input", hint="convert the model again")


def _check_indices(indices: Sequence[int], count: int, where: str, *, optional: bool) -> None:
    for index in indices:
        if not (0 <= index < count or (optional and index == -1)):
            raise MalformedModelError(f"{where} refers to tensor {index} of {count}", hint="convert the model again")


def _operator(table: Table, codes: Sequence[tuple[str, int, bool]], tensors: int) -> Operator:
    code = table.scalar(0, "I")
    if code >= len(codes):
        raise MalformedModelError(f"an operator uses code {code} of {len(codes)}", hint="convert the model again")
    name, version, is_custom = codes[code]
    inputs, outputs = table.integers(1, "i"), table.integers(2, "i")
    _check_indices(inputs, tensors, f"an input of {name}", optional=True)
    if inputs[:1] == (-1,):  # only later inputs may be left out; kernels do not look (CVE-2020-15211)
        raise MalformedModelError(f"{name} lacks a required input", hint="convert the model again")
    _check_indices(outputs, tensors, f"an output of {name}", optional=False)
    return Operator(
        name=name, version=version, is_custom=is_custom, inputs=inputs, outputs=outputs, options=table.table(4)
    )


def _tensor(index: int, table: Table, buffers: Sequence[memoryview]) -> Tensor:
    name = table.string(3) or f"tensor {index}"
    shape = table.integers(0, "i")
    signature = table.integers(7, "i") or shape
    type_number, buffer_index = table.scalar(1, "b"), table.scalar(2, "I")
    if not 0 <= type_number < len(TENSOR_TYPES):
        raise MalformedModelError(f"tensor {name!r} has type number {type_number}", hint="update edgekit")
    if any(size < 0 for size in shape) or math.prod(shape) > _MAX_ELEMENTS:
        raise MalformedModelError(f"tensor {name!r} has the impossible shape {list(shape)}", hint="convert it again")
    if buffer_index >= len(buffers):
        raise MalformedModelError(
            f"tensor {name!r} uses buffer {buffer_index} of {len(buffers)}", hint="convert it again"
        )
    dtype, data = TENSOR_TYPES[type_number], buffers[buffer_index]
    if table.table(6) is None and len(data) and dtype in _BITS:  # sparse tensors hold fewer bytes than their shape says
        needed = (math.prod(shape) * _BITS[dtype] + 7) // 8
        if len(data) != needed:
            raise MalformedModelError(
                f"tensor {name!r} holds {len(data)} bytes, {list(shape)} of {dtype} needs {needed}",
                hint="convert the model again",
            )
    return Tensor(
        index=index, name=name, shape=shape, signature=signature, dtype=dtype, data=data,
        quantization=_quantization(name, shape, dtype, table.table(4)), is_variable=bool(table.scalar(5, "B")),
    )  # fmt: skip


def _quantization(name: str, shape: tuple[int, ...], dtype: str, table: Table | None) -> Quantization | None:
    if table is None or not (scales := tuple(float(value) for value in table.vector(2, "f"))):
        return None
    zero_points = table.integers(3, "q") or (0,) * len(scales)
    axis = table.scalar(6, "i")
    if any(not math.isfinite(scale) or scale <= 0 for scale in scales):
        raise MalformedModelError(
            f"tensor {name!r} has a scale that is not a positive number", hint="quantize it again"
        )
    low, high = _ZERO_POINTS.get(dtype, (-(2**31), 2**31 - 1))
    if any(not low <= point <= high for point in zero_points):
        raise MalformedModelError(f"tensor {name!r} has a zero point out of range", hint="quantize it again")
    if len(zero_points) not in (1, len(scales)):
        raise MalformedModelError(
            f"tensor {name!r} has {len(scales)} scales and {len(zero_points)} zero points", hint="quantize it again"
        )
    if len(scales) > 1 and (axis < 0 or axis >= len(shape) or shape[axis] != len(scales)):
        axis = next(
            (place for place, size in enumerate(shape) if size == len(scales)), 0
        )  # a known fault of old converters
    return Quantization(scales=scales, zero_points=zero_points, axis=axis)
