"""What can be said of a .tflite file without running it: operators, parameters, multiply-accumulates."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from edgekit.core.tflite.model import Graph, Model, Operator, Tensor

WEIGHT_TYPES = {"float32", "float16", "int16", "int8", "uint8", "int4", "uint4", "int2", "bfloat16", "float64"}
"""Tensor types that hold trained values."""


@dataclass(frozen=True, kw_only=True)
class OperatorCount:
    """How often an operator appears, and its highest version."""

    name: str
    count: int
    version: int
    is_custom: bool


def operator_table(model: Model) -> tuple[OperatorCount, ...]:
    """The operators of all graphs, most frequent first."""
    operators = [operator for graph in model.graphs for operator in graph.operators]
    counts = Counter(operator.name for operator in operators)
    versions: dict[str, int] = {}
    custom = {operator.name for operator in operators if operator.is_custom}
    for operator in operators:
        versions[operator.name] = max(operator.version, versions.get(operator.name, 0))
    rows = (
        OperatorCount(name=name, count=count, version=versions[name], is_custom=name in custom)
        for name, count in counts.items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.count, row.name)))


def parameter_count(model: Model) -> int:
    """Number of trained values: constants of a weight type, and integer biases (constants with a scale)."""
    return sum(
        tensor.elements
        for graph in model.graphs
        for tensor in graph.tensors
        if tensor.is_constant and (tensor.dtype in WEIGHT_TYPES or tensor.quantization is not None)
    )


def multiply_accumulates(model: Model) -> int:
    """Multiply-accumulates of one call with the shapes as they stand in the file (an open batch counts as 1)."""
    return sum(_macs(graph, operator) for graph in model.graphs for operator in graph.operators)


def mac_dtypes(model: Model) -> dict[str, int]:
    """Multiply-accumulates by the type of the activations that they read; all numbers sum up to the model's."""
    found: Counter[str] = Counter()
    for graph in model.graphs:
        for operator in graph.operators:
            if macs := _macs(graph, operator):
                found[graph.tensors[operator.inputs[0]].dtype] += macs
    return dict(sorted(found.items()))


def _macs(graph: Graph, operator: Operator) -> int:
    tensors = [graph.tensors[index] if index >= 0 else None for index in operator.inputs]
    output = graph.tensors[operator.outputs[0]].elements if operator.outputs else 0
    match operator.name, tensors:
        case "CONV_2D" | "CONV_3D", [_, Tensor() as weights, *_] if len(weights.shape) >= 2:
            return output * math.prod(weights.shape[1:])
        case "DEPTHWISE_CONV_2D", [_, Tensor() as weights, *_] if len(weights.shape) == 4:
            return output * weights.shape[1] * weights.shape[2]
        case "FULLY_CONNECTED", [_, Tensor() as weights, *_] if weights.shape:
            return output * weights.shape[-1]
        case "TRANSPOSE_CONV", [_, Tensor() as weights, Tensor() as source, *_] if len(weights.shape) == 4:
            return source.elements * weights.shape[0] * weights.shape[1] * weights.shape[2]
        case "BATCH_MATMUL", [Tensor() as left, *_] if left.shape:
            return output * left.shape[-1]
        case "UNIDIRECTIONAL_SEQUENCE_LSTM" | "LSTM" | "SVDF", [Tensor() as source, *rest]:
            steps = source.shape[1] if operator.name.startswith("UNI") and len(source.shape) == 3 else 1
            return steps * sum(t.elements for t in rest if t is not None and t.is_constant and len(t.shape) == 2)
    return 0


def tensors_with_bad_values(model: Model) -> tuple[str, ...]:
    """Names of float constants that hold NaN or infinity."""
    import numpy as np  # all the rest of this file is done long before NumPy is imported

    return tuple(
        tensor.name
        for graph in model.graphs
        for tensor in graph.tensors
        if tensor.is_constant
        and tensor.dtype in ("float32", "float16", "float64")
        and not np.isfinite(np.frombuffer(tensor.data, dtype=tensor.dtype)).all()
    )


def is_fully_integer(model: Model) -> bool:
    """Whether no tensor of the main graph between its operators is a float."""
    return all(not tensor.dtype.startswith(("float", "bfloat")) for tensor in model.main.tensors)


def has_float_weights(model: Model) -> bool:
    """Whether the trained values are float32, so that compression has something to do."""
    return any(
        tensor.is_constant and tensor.dtype == "float32" and tensor.elements > 1 for tensor in model.main.tensors
    )
