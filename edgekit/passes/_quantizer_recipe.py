"""Which layer gets which numbers, as a recipe of litert-quantizer: a list of rules, of which the last that fits counts.

The quantizer leaves float what its policy does not know, without a word; the caller looks at the result. Its policy
would let no weight-only block through, and with reason: LiteRT 2.3 crashes when it dequantizes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.tflite.model import Graph
from edgekit.passes._layers import layer_name, select

Rule = dict[str, Any]
FLOAT_IO: list[Rule] = [
    {"regex": ".*", "operation": operation, "algorithm_key": "no_quantize", "op_config": {}}
    for operation in ("INPUT", "OUTPUT")
]
"""Leaves inputs and outputs float: a layer that is kept float then reads what came in, not what int8 left of it."""
_BLOCKWISE_OPS = {"FULLY_CONNECTED", "EMBEDDING_LOOKUP"}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a pass leaves to its parameters.

    Attributes:
        calibration, percentile, bins: see `edgekit.passes._calibration`.
        keep_float, keep_float16, keep_int16: patterns of `edgekit.passes._layers.select`; of a layer that several
            match, the one that comes first here counts.
        bits: of the weights.
        granularity: "channel", "tensor" or "block": what shares one scale.
        block_size: weights of one block.
    """

    calibration: str = "min_max"
    percentile: float = 99.99
    bins: int = 2048
    keep_float: tuple[str, ...] = ()
    keep_float16: tuple[str, ...] = ()
    keep_int16: tuple[str, ...] = ()
    bits: int = 8
    granularity: str = "channel"
    block_size: int = 32


def quantizer_recipe(mode: str, graph: Graph, layers: list[dict[str, Any]], choices: Choices, what: str) -> list[Rule]:
    """The rules of one conversion.

    Args:
        mode: "dynamic", "weight_only", "float16", "int8" or "int16x8".
        graph: the float model's.
        layers: what `edgekit.passes._layers.layers_of` gave for it.
        choices: see there.
        what: the pass, for messages.

    Raises:
        ConfigurationError: a pattern matches nothing, or no layer divides into blocks.
    """
    rules = _base(mode, choices)
    if choices.granularity == "block":
        rules += _blocks(mode, graph, choices, what)

    def add(parameter: str, **config: Any) -> None:
        names = set(select(layers, getattr(choices, parameter), parameter=f"{what}.{parameter}"))
        rules.extend(_rule(layer["name"], layer["op"], **config) for layer in layers if layer["name"] in names)

    add("keep_int16", **_static(16))
    add("keep_float16", **_FLOAT16)
    add("keep_float", algorithm_key="no_quantize", op_config={})
    return rules


def _base(mode: str, choices: Choices) -> list[Rule]:
    granularity = "TENSORWISE" if choices.granularity == "tensor" else "CHANNELWISE"
    match mode:
        case "float16":
            return [_everywhere(**_FLOAT16)]
        case "dynamic" | "weight_only":
            return [_everywhere(**_weights(mode, choices.bits, granularity))]
        case "int8" | "int16x8":
            return [_everywhere(**_static(8 if mode == "int8" else 16))]
    raise ValueError(mode)


def _blocks(mode: str, graph: Graph, choices: Choices, what: str) -> list[Rule]:
    """Blocks where the weights divide into them; other layers stay as the base rule has them."""
    config = _weights(mode, choices.bits, f"BLOCKWISE_{choices.block_size}")
    rules = [
        _rule(layer_name(graph, operator), operator.name, **config)
        for operator in graph.operators
        if operator.name in _BLOCKWISE_OPS
        and graph.tensors[operator.inputs[1]].dtype == "float32"
        and graph.tensors[operator.inputs[1]].shape[-1] % choices.block_size == 0
    ]
    if not rules:
        raise ConfigurationError(
            f"{what}.block_size: no dense layer has a multiple of {choices.block_size} inputs",
            hint='take granularity "channel", or a smaller block_size',
        )
    return rules


def _static(activation_bits: int) -> Rule:
    """int8 weights by channel and integer activations; int16 ones have no zero point, as LiteRT's kernels want it."""
    return _uniform(
        activation_tensor_config={
            "num_bits": activation_bits,
            "symmetric": activation_bits == 16,
            "granularity": "TENSORWISE",
            "dtype": "INT",
        },
        weight_tensor_config=_tensor(8, "CHANNELWISE"),
        compute_precision="INTEGER",
        explicit_dequantize=False,
    )


def _weights(mode: str, bits: int, granularity: str) -> Rule:
    """Integer weights alone: computed in integers by the kernel (dynamic), or in float (weight_only)."""
    dynamic = mode == "dynamic"
    return _uniform(
        weight_tensor_config=_tensor(bits, granularity),
        compute_precision="INTEGER" if dynamic else "FLOAT",
        explicit_dequantize=not dynamic,
    )


def _tensor(bits: int, granularity: str) -> Rule:
    return {"num_bits": bits, "symmetric": True, "granularity": granularity, "dtype": "INT"}


def _uniform(**op_config: Any) -> Rule:
    return {
        "algorithm_key": "min_max_uniform_quantize",
        "op_config": {**op_config, "skip_checks": False, "min_weight_elements": 0},
    }


_FLOAT16: Rule = {
    "algorithm_key": "float_casting",
    "op_config": {
        "weight_tensor_config": {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"},
        "compute_precision": "FLOAT",
        "explicit_dequantize": True,
        "skip_checks": False,
        "min_weight_elements": 0,
    },
}


def _everywhere(**config: Any) -> Rule:
    return {"regex": ".*", "operation": "*", **config}


def _rule(name: str, op: str, **config: Any) -> Rule:
    """A rule for one layer; the operator is named, as the model's inputs and outputs have the same scope."""
    operation = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}.get(op, op)
    return {"regex": f"^{re.escape(name)};$", "operation": operation, **config}


def patterns(choices: Choices) -> Iterable[str]:
    """All patterns of layers."""
    return (*choices.keep_float, *choices.keep_float16, *choices.keep_int16)
