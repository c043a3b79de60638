"""The part of the flows that runs in the child process: facts of a .tflite file."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

from edgekit.core.tflite.facts import (
    has_float_weights,
    is_fully_integer,
    mac_dtypes,
    multiply_accumulates,
    operator_table,
    parameter_count,
)
from edgekit.core.tflite.gpu_rules import gpu_findings
from edgekit.core.tflite.model import Graph, parse_model, read_model

_BYTES = {"float32": 4, "int32": 4, "int64": 8, "float16": 2, "int16": 2, "float64": 8, "complex64": 8}


def facts(path: str) -> dict[str, Any]:
    """Parameters, multiply-accumulates, operators and types of a .tflite file, as JSON."""
    model = read_model(Path(path))
    return {
        "parameters": parameter_count(model),
        "macs": multiply_accumulates(model),
        "mac_dtypes": mac_dtypes(model),
        "ops": [
            {"name": row.name, "count": row.count, "version": row.version, "custom": row.is_custom}
            for row in operator_table(model)
        ],
        "dtypes": sorted({tensor.dtype for tensor in model.main.tensors}),
        "hybrid_ops": _hybrid_ops(model.main),
        "gpu_findings": [finding.as_json() for finding in gpu_findings(model)],
        "open_shapes": [tensor.name for tensor in model.main.tensors if tensor.is_dynamic],
        "activation_bytes": max(map(_peak_activation_bytes, model.graphs)),
        "has_float_weights": has_float_weights(model),
        "is_fully_integer": is_fully_integer(model),
    }


def weighing(path: str) -> dict[str, Any]:
    """What a .tflite file weighs: its bytes, packed and not, zeros and different values among its weights, as JSON."""
    from edgekit.core.tflite.weights import weight_facts  # NumPy, which no other question needs

    data = Path(path).read_bytes()
    weights = weight_facts(parse_model(data))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return {
        "size_bytes": len(data),
        "zip_bytes": len(packer.compress(data)) + len(packer.flush()),
        "gzip_bytes": len(gzip.compress(data, compresslevel=9, mtime=0)),
        "sparsity": weights.sparsity,
        "unique_weights": weights.unique,
    }


def _hybrid_ops(graph: Graph) -> list[str]:
    """Operators that read float activations and integer weights: dynamic-range quantization."""
    found = set()
    for operator in graph.operators:
        tensors = [graph.tensors[index] for index in operator.inputs[:2] if index >= 0]
        if len(tensors) == 2 and tensors[0].dtype == "float32" and tensors[1].is_constant:
            found |= {operator.name} if tensors[1].dtype.startswith("int") and tensors[1].quantization else set()
    return sorted(found)


def _peak_activation_bytes(graph: Graph) -> int:
    """Largest sum of live tensors over the operators: the lower bound of any memory plan."""
    last_use = {index: len(graph.operators) for index in graph.outputs}
    for place, operator in enumerate(graph.operators):
        for index in operator.inputs:
            last_use[index] = max(place, last_use.get(index, -1))
    live = set(graph.inputs)
    peak = 0
    for place, operator in enumerate(graph.operators):
        live |= set(operator.outputs)
        peak = max(peak, sum(_bytes(graph, index) for index in live))
        live = {index for index in live if last_use.get(index, -1) > place}
    return peak


def _bytes(graph: Graph, index: int) -> int:
    tensor = graph.tensors[index]
    return 0 if tensor.is_constant else math.prod(tensor.shape) * _BYTES.get(tensor.dtype, 1)
