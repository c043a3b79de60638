"""Whether LiteRT's GPU delegate and tflite-micro can run a .tflite file, by our own tables: names, types, fixed shapes.

A table of operator names is necessary, not sufficient: the delegate also looks at options (a softmax with a beta other
than 1, a strided slice that drops axes), so a model without reasons here may still leave operators to the CPU. Open
shapes count as a reason: TensorFlow's analyzer calls such models compatible, and the delegate refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GPU_SOURCE = "tensorflow/lite/tools/versioning/gpu_compatibility.cc, tensorflow/tensorflow at 03a5e4e19a9c"
GPU_OPS = frozenset({
    "ABS", "ADD", "ADD_N", "ATAN2", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CAST", "CEIL", "CONCATENATION", "CONV_2D",
    "COS", "CUMSUM", "DENSIFY", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "DYNAMIC_UPDATE_SLICE",
    "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER", "GELU",
    "GREATER", "GREATER_EQUAL", "HARD_SWISH", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGISTIC",
    "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "ONE_HOT", "PACK",
    "PAD", "PADV2", "POW", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6",
    "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SELECT", "SELECT_V2", "SIGN",
    "SIN", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE",
    "STABLEHLO_CLAMP", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE", "TRANSPOSE", "TRANSPOSE_CONV",
})  # fmt: skip
GPU_CUSTOM_OPS = frozenset({"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler"})

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

_GPU_WITHOUT = frozenset({"int16", "int64", "float64", "complex64", "string"})
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
    gpu = [
        *_missing(facts, GPU_OPS, GPU_CUSTOM_OPS, "the GPU delegate"),
        *_types(facts, _GPU_WITHOUT, "the GPU delegate"),
        *_open_shapes(facts, "the GPU delegate takes fixed shapes only"),
    ]
    mcu = [
        *_missing(facts, MCU_OPS, MCU_CUSTOM_OPS, "tflite-micro"),
        *_types(facts, _MCU_WITHOUT, "tflite-micro"),
        *_open_shapes(facts, "tflite-micro plans its memory for fixed shapes"),
    ]
    if facts["hybrid_ops"]:
        names = ", ".join(facts["hybrid_ops"])
        mcu.append(f"tflite-micro has no dynamic-range kernels: {names} with float activations and integer weights")
    return {
        "gpu": Compatibility(reasons=tuple(gpu), source=GPU_SOURCE),
        "mcu": Compatibility(reasons=tuple(mcu), source=MCU_SOURCE),
    }


def _missing(facts: Mapping[str, Any], known: frozenset[str], custom: frozenset[str], what: str) -> list[str]:
    lacking = [op["name"] for op in facts["ops"] if op["name"] not in (custom if op["custom"] else known)]
    return [f"{what} has no {', '.join(lacking)}"] if lacking else []


def _types(facts: Mapping[str, Any], without: frozenset[str], what: str) -> list[str]:
    lacking = sorted(set(facts["dtypes"]) & without)
    return [f"{what} has no {', '.join(lacking)} tensors"] if lacking else []


def _open_shapes(facts: Mapping[str, Any], rule: str) -> list[str]:
    names = facts["open_shapes"]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [f"{rule}: {names[0]!r}{more} is open"] if names else []
