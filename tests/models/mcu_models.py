"""Small quantized .tflite models of one or a few operators, built from values that know their own quantization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.models.tflite_files import model, operator, operator_code, packed, tensor

_TYPES = {
    "float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32, "int64": schema.TensorType.INT64, "uint8": schema.TensorType.UINT8,
    "bool": schema.TensorType.BOOL, "resource": schema.TensorType.RESOURCE,
}  # fmt: skip
_LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (-(2**31), 2**31 - 1)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Spec:
    """One tensor; `data` makes it a constant; the same object in two places is the same tensor."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    data: Any = None
    is_variable: bool = False
    signature: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Op:
    """One operator: its name in the schema, tensors (None: an optional input left out), options table."""

    name: str
    inputs: Sequence[Spec | None]
    outputs: Sequence[Spec]
    options: Any = None
    version: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """What a generator of random cases gives.

    `calls`: the inputs of each successive call, state kept between them; None: the test draws them.
    """

    model: bytes
    calls: tuple[tuple[Any, ...], ...] | None = None


def build(ops: Sequence[Op], *, inputs: Sequence[Spec] | None = None, outputs: Sequence[Spec] | None = None) -> bytes:
    """A model of one graph; without `inputs` and `outputs` they are what nothing computes and what nothing uses."""
    specs = list(dict.fromkeys(spec for op in ops for spec in (*op.inputs, *op.outputs) if spec is not None))
    made = {spec for op in ops for spec in op.outputs}
    used = {spec for op in ops for spec in op.inputs}
    if inputs is None:
        inputs = [spec for spec in specs if spec not in made and spec.data is None and not spec.is_variable]
    if outputs is None:
        outputs = [spec for spec in specs if spec in made and spec not in used]
    place = {spec: at for at, spec in enumerate(specs)}
    buffers = [b""]
    names = list(dict.fromkeys((op.name, op.version) for op in ops))
    tensors = [_tensor(f"t{at}", spec, buffers) for at, spec in enumerate(specs)]
    operators = [
        operator(
            names.index((op.name, op.version)),
            [-1 if spec is None else place[spec] for spec in op.inputs],
            [place[spec] for spec in op.outputs],
            op.options,
        )
        for op in ops
    ]
    codes = [operator_code(getattr(schema.BuiltinOperator, name), version=version) for name, version in names]
    io = ([place[spec] for spec in inputs], [place[spec] for spec in outputs])
    return packed(model(tensors, operators, codes, buffers, io))


def with_graph(main: bytes, other: bytes) -> bytes:
    """The first model with the graph of the second one behind its own, for CALL_ONCE: it takes and gives nothing."""
    made, more = (schema.ModelT.InitFromObj(schema.Model.GetRootAs(one)) for one in (main, other))
    graph = more.subgraphs[0]
    graph.inputs, graph.outputs = [], []
    for tensor_of_graph in graph.tensors:
        tensor_of_graph.buffer += len(made.buffers) if tensor_of_graph.buffer else 0
    for operator_of_graph in graph.operators:
        operator_of_graph.opcodeIndex += len(made.operatorCodes)
    made.buffers += more.buffers
    made.operatorCodes += more.operatorCodes
    made.subgraphs.append(graph)
    return packed(made)


def one(op: str, inputs: Sequence[Spec | None], output: Spec, options: Any = None, *, version: int = 1) -> bytes:
    """A model of one operator with one output."""
    return build([Op(name=op, inputs=inputs, outputs=[output], options=options, version=version)])


def options(table: str, **fields: Any) -> Any:
    """An options table of the schema, e.g. options("Conv2DOptions", strideH=2)."""
    made = getattr(schema, f"{table}T")()
    for name, value in fields.items():
        if not hasattr(made, name):
            raise AttributeError(f"{table} has no field {name}")
        setattr(made, name, value)
    return made


def random_spec(
    rng: np.random.Generator, shape: Sequence[int], *, dtype: str = "int8", symmetric: bool = False
) -> Spec:
    """An activation with a random scale and zero point; int16 is always symmetric."""
    low, high = _LIMITS[dtype]
    extreme = rng.random() < 0.2  # zero points at the borders, as after ReLU
    zero = int(rng.choice([low, high]) if extreme else rng.integers(low, high, endpoint=True))
    scale = random_scale(rng, high=0.5 if dtype == "int8" else 0.002)
    zero = 0 if symmetric or dtype != "int8" else zero
    return Spec(shape=tuple(int(size) for size in shape), dtype=dtype, scales=(scale,), zero_points=(zero,))


def random_scale(rng: np.random.Generator, *, low: float = 0.0005, high: float = 0.5) -> float:
    """A float32, uniform in its logarithm."""
    return float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))


def constant(values: Any, *, dtype: str | None = None, scales: Sequence[float] = (), axis: int = 0) -> Spec:
    """A constant tensor; zero points are 0."""
    array = np.asarray(values) if dtype is None else np.asarray(values, dtype=dtype)
    return Spec(
        shape=array.shape,
        dtype=array.dtype.name,
        scales=tuple(scales),
        zero_points=(0,) * len(scales),
        axis=axis,
        data=array,
    )


def _tensor(name: str, spec: Spec, buffers: list[bytes]) -> Any:
    if spec.data is not None:
        buffers.append(np.ascontiguousarray(spec.data).tobytes())
    made = tensor(name, spec.shape, dtype=_TYPES[spec.dtype], buffer=0 if spec.data is None else len(buffers) - 1)
    made.isVariable = spec.is_variable
    if spec.signature:
        made.shapeSignature = list(spec.signature)
    if spec.scales:
        quantization = schema.QuantizationParametersT()
        quantization.scale = np.asarray(spec.scales, np.float32)
        quantization.zeroPoint = np.asarray(spec.zero_points, np.int64)
        quantization.quantizedDimension = spec.axis
        made.quantization = quantization
    return made
