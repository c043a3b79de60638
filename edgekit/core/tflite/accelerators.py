"""Whether LiteRT's GPU delegate and tflite-micro can run a .tflite file, by our own rules: names, types, fixed shapes.

Rules are necessary, not sufficient: a model without reasons here may still be refused. Open shapes count as a reason:
TensorFlow's analyzer calls such models compatible, and the delegate refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.core.tflite.gpu_rules import GPU_SOURCE, spoken

MCU_SOURCE = "python/tflite_micro/python_ops_resolver.cc, tensorflow/tflite-micro at 03e16b2931c7"
MCU_OPS = frozenset({
    "ABS", "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND",
    "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE", "CAST", "CEIL", "CONCATENATION", "CONV_2D", "COS", "CUMSUM",
    "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "ELU", "EQUAL", "EXP", "EXPAND_DIMS", "FILL", "FLOOR",
    "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER", "GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "IF",
    "L2_NORMALIZATION", "L2_POOL_2D", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGICAL_NOT",
    "LOGICAL_OR", "LOGISTIC", "LOG_SOFTMAX", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG",
    "NOT_EQUAL", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "READ_VARIABLE", "REDUCE_MAX", "RELU", "RELU6",
    "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "ROUND", "RSQRT", "SELECT_V2", "SHAPE", "SIN", "SLICE",
    "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE",
    "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "SVDF", "TANH", "TRANSPOSE", "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK", "VAR_HANDLE", "WHILE", "ZEROS_LIKE",
})  # fmt: skip
MCU_CUSTOM_OPS = frozenset({"CIRCULAR_BUFFER", "TFLite_Detection_PostProcess", "ethos-u"})

_MCU_WITHOUT = frozenset({"float16", "float64", "bfloat16", "complex64", "string"})


@dataclass(frozen=True, kw_only=True)
class Compatibility:
    """What stands between a model and one kind of accelerator.

    Attributes:
        reasons: one clause each; none where nothing is known to be against it.
        source: of the table that was asked, with its version.
    """

    reasons: tuple[str, ...]
    source: str

    def as_json(self) -> dict[str, Any]:
        """The verdict in a document."""
        return {"compatible": not self.reasons, "reasons": list(self.reasons), "source": self.source}


def compatibility(facts: Mapping[str, Any]) -> dict[str, Compatibility]:
    """Judge a model for "gpu" (LiteRT's delegate) and "mcu" (tflite-micro).

    Args:
        facts: as `edgekit.flows._child.facts` returns them.
    """
    gpu = spoken(facts["gpu_findings"])
    mcu = [
        *_missing(facts),
        *_types(facts),
        *_open_shapes(facts),
    ]
    if facts["hybrid_ops"]:
        names = ", ".join(facts["hybrid_ops"])
        mcu.append(f"tflite-micro has no dynamic-range kernels: {names} with float activations and integer weights")
    return {
        "gpu": Compatibility(reasons=tuple(gpu), source=GPU_SOURCE),
        "mcu": Compatibility(reasons=tuple(mcu), source=MCU_SOURCE),
    }


def _missing(facts: Mapping[str, Any]) -> list[str]:
    lacking = [op["name"] for op in facts["ops"] if op["name"] not in (MCU_CUSTOM_OPS if op["custom"] else MCU_OPS)]
    return [f"tflite-micro has no {', '.join(lacking)}"] if lacking else []


def _types(facts: Mapping[str, Any]) -> list[str]:
    lacking = sorted(set(facts["dtypes"]) & _MCU_WITHOUT)
    return [f"tflite-micro has no {', '.join(lacking)} tensors"] if lacking else []


def _open_shapes(facts: Mapping[str, Any]) -> list[str]:
    names = facts["open_shapes"]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [f"tflite-micro plans its memory for fixed shapes: {names[0]!r}{more} is open"] if names else []
