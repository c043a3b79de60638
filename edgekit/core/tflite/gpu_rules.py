"""What LiteRT's GPU delegate has against a .tflite file, operator by operator, without running it.

Each rule was held against the delegate itself (LiteRT 2.3.0, WebGPU accelerator; tests/integration/test_gpu_matrix.py):
where they differed, the delegate was right. It looks at more than these rules do, so a model without findings may still
leave operators to the CPU; `edgekit.flows.gpu` runs it.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.tflite.model import Graph, Model, Operator, Tensor

GPU_SOURCE = (
    "LiteRT 2.3.0's WebGPU accelerator, run on one model an operator; for operators that no converter writes any more "
    "tensorflow/lite/tools/versioning/gpu_compatibility.cc, tensorflow/tensorflow at 03a5e4e19a9c"
)
GPU_OPS = frozenset({
    "ABS", "ADD", "ADD_N", "ARG_MAX", "ATAN2", "AVERAGE_POOL_2D", "BATCH_MATMUL", "BITCAST", "CAST", "CEIL",
    "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DENSIFY", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV",
    "DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD",
    "FULLY_CONNECTED", "GATHER", "GELU", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "LEAKY_RELU", "LESS", "LESS_EQUAL",
    "LOG", "LOGICAL_AND", "LOGICAL_OR", "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD",
    "MUL", "NEG", "NOT_EQUAL", "ONE_HOT", "PACK", "PAD", "PADV2", "POW", "PRELU", "QUANTIZE", "REDUCE_ALL",
    "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "RIGHT_SHIFT", "ROUND", "RSQRT", "SELECT", "SELECT_V2",
    "SIGN", "SIN", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE",
    "STABLEHLO_CLAMP", "STABLEHLO_SHIFT_LEFT", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE", "TOPK_V2", "TRANSPOSE",
    "TRANSPOSE_CONV", "UNPACK",
})  # fmt: skip
GPU_CUSTOM_OPS = frozenset({"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler"})

_WITHOUT = frozenset({"int16", "int64", "float64", "complex64", "complex128", "string", "resource", "variant"})
_MOST_AXES = 4
_SHAPING = {
    "BROADCAST_TO": (1,), "MEAN": (1,), "MIRROR_PAD": (1,), "ONE_HOT": (1,), "PAD": (1,), "PADV2": (1,),
    "RESHAPE": (1,), "RESIZE_BILINEAR": (1,), "RESIZE_NEAREST_NEIGHBOR": (1,), "SLICE": (1, 2), "SPLIT": (0,),
    "STRIDED_SLICE": (1, 2, 3), "SUM": (1,), "TILE": (1,), "TOPK_V2": (1,), "TRANSPOSE": (1,), "TRANSPOSE_CONV": (0,),
}  # fmt: skip
"""Inputs that settle the shape of an operator's output."""
_SYMMETRIC = 1  # MirrorPadMode of the format's schema


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One operator that the delegate does not run as the CPU does.

    Attributes:
        op: name of the operator.
        layer: name of its first output.
        reason: one clause.
        is_refused: the delegate does not take it; False: it takes it, and answers otherwise than the CPU.
    """

    op: str
    layer: str
    reason: str
    is_refused: bool = True

    def as_json(self) -> dict[str, Any]:
        """The finding in a document."""
        return dict(vars(self))


def gpu_findings(model: Model) -> tuple[Finding, ...]:
    """What stands against the operators of the graph that is called, in the file's order; one finding an operator.

    An open batch is no finding: the delegate takes it as 1. A shape that is computed at run time is one, and with it
    LiteRT refuses the whole model, with the CPU beside the GPU too.
    """
    graph = model.main
    return tuple(found for operator in graph.operators if (found := _finding(graph, operator)) is not None)


def spoken(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Findings as clauses, alike ones together.

    Args:
        findings: as `Finding.as_json` writes them, `layer` may be None.
    """
    layers: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        key = finding["op"], finding["reason"]
        counts[key] += 1
        layers.setdefault(key, f" {finding['layer']!r}" if finding["layer"] else "")
    return [
        f"{op}{layer}{f' and {counts[op, reason] - 1} more' if counts[op, reason] > 1 else ''}: {reason}"
        for (op, reason), layer in layers.items()
    ]


def _finding(graph: Graph, operator: Operator) -> Finding | None:
    inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
    outputs = [graph.tensors[index] for index in operator.outputs]
    layer = outputs[0].name if outputs else ""
    refuses, differs = _REFUSES.get(operator.name), _DIFFERS.get(operator.name)
    reason = _against_any(operator, inputs, outputs)
    if reason is None and (refuses or differs) and (len(inputs) < 2 or not outputs):
        reason = "it lacks a tensor"
    if reason is None and refuses is not None:
        reason = refuses(operator, inputs, outputs)
    if reason is not None:
        return Finding(op=operator.name, layer=layer, reason=reason)
    if differs is not None and (reason := differs(operator, inputs, outputs)) is not None:
        return Finding(op=operator.name, layer=layer, reason=reason, is_refused=False)
    return None


def _against_any(operator: Operator, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str | None:
    if operator.name not in (GPU_CUSTOM_OPS if operator.is_custom else GPU_OPS):
        return "the GPU delegate has no such operator"
    for tensor in (*inputs, *outputs):
        if tensor.is_constant:
            continue
        if tensor.dtype in _WITHOUT:
            return f"it takes no {tensor.dtype} tensors ({tensor.name!r})"
        if len(tensor.shape) > _MOST_AXES:
            return f"it takes at most {_MOST_AXES} axes ({tensor.name!r} has {len(tensor.shape)})"
    for place in _SHAPING.get(operator.name, ()):
        if place < len(inputs) and not inputs[place].is_constant:
            return f"it takes fixed shapes only, and {inputs[place].name!r} settles one at run time"
    return None


Rule = Callable[[Operator, Sequence[Tensor], Sequence[Tensor]], str | None]


def _add_n(_operator: Operator, inputs: Sequence[Tensor], _outputs: Sequence[Tensor]) -> str | None:
    return None if len(inputs) == 2 else f"it adds 2 tensors, not {len(inputs)}"


def _gather(_operator: Operator, inputs: Sequence[Tensor], _outputs: Sequence[Tensor]) -> str | None:
    axes = len(inputs[1].shape)
    return None if axes == 1 else f"it takes positions with 1 axis, not {axes}"


def _strided_slice(_operator: Operator, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str | None:
    if len(outputs[0].shape) < len(inputs[0].shape):
        return "it cannot drop an axis while it slices"
    if len(inputs) > 3 and inputs[3].is_constant and inputs[3].dtype == "int32":
        strides = struct.unpack(f"<{len(inputs[3].data) // 4}i", inputs[3].data)
        return "it cannot slice backwards" if min(strides) < 0 else None
    return None


def _select(_operator: Operator, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str | None:
    for tensor in inputs[1:]:
        if tensor.shape != outputs[0].shape and not (tensor.is_constant and tensor.elements == 1):
            return f"it takes choices of the output's shape or a constant scalar, not {list(tensor.shape)}"
    return None


def _prelu(_operator: Operator, inputs: Sequence[Tensor], _outputs: Sequence[Tensor]) -> str | None:
    return None if inputs[1].is_constant else "it takes constant slopes only"


def _pad_axes(_operator: Operator, inputs: Sequence[Tensor], _outputs: Sequence[Tensor]) -> str | None:
    axes = inputs[1].shape[:1]
    return None if axes in ((3,), (4,)) else f"it pads tensors of 3 or 4 axes, not {axes[0] if axes else 0}"


def _mirror_pad(operator: Operator, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str | None:
    if operator.options is not None and operator.options.scalar(0, "b") == _SYMMETRIC:
        return "it pads by reflection only, not symmetrically"
    return _pad_axes(operator, inputs, outputs)


def _conv(_operator: Operator, inputs: Sequence[Tensor], _outputs: Sequence[Tensor]) -> str | None:
    source, weights = inputs[0].shape, inputs[1].shape
    if len(source) != 4 or len(weights) != 4 or not weights[3] or source[3] == weights[3]:
        return None
    groups = source[3] // weights[3]
    inside, outside = weights[3], weights[0] // max(groups, 1)
    if (inside, outside) == (1, 1) or inside % 4 == outside % 4 == 0:
        return None
    return f"{_DIFFERENT}: groups of {inside} to {outside} channels, which are no multiples of 4"


def _cumsum(operator: Operator, inputs: Sequence[Tensor], _outputs: Sequence[Tensor]) -> str | None:
    if operator.options is not None and (operator.options.scalar(0, "B") or operator.options.scalar(1, "B")):
        return f"{_DIFFERENT}: an exclusive or reversed sum"
    if inputs[1].is_constant and inputs[1].dtype == "int32":
        axis = struct.unpack_from("<i", inputs[1].data)[0]
        return f"{_DIFFERENT}, or it crashes: axis {axis}" if axis < 1 else None
    return None


def _pad(_operator: Operator, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str | None:
    if inputs[0].shape[:1] == (1,) and outputs[0].shape[:1] != (1,):
        return f"{_DIFFERENT}: a batch of 1 that is padded"
    return None


_DIFFERENT = "it answers otherwise than the CPU"
_REFUSES: dict[str, Rule] = {
    "ADD_N": _add_n,
    "GATHER": _gather,
    "MIRROR_PAD": _mirror_pad,
    "PAD": _pad_axes,
    "PADV2": _pad_axes,
    "PRELU": _prelu,
    "SELECT": _select,
    "SELECT_V2": _select,
    "STRIDED_SLICE": _strided_slice,
}
"""What it refuses of operators that it has."""
_DIFFERS: dict[str, Rule] = {"CONV_2D": _conv, "CUMSUM": _cumsum, "PAD": _pad, "PADV2": _pad}
"""What it takes, and gets wrong."""
