"""QUANTIZE and DEQUANTIZE: between types and scales, floats at the borders of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import multiply, quantize_multiplier
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._lookup import EIGHT_BITS, LIMITS, clamped, lookup

_REQUANTIZED = {
    ("int16", "int8"): "quantize_s16_s8", ("int16", "int16"): "quantize_s16", ("int16", "int32"): "quantize_s16_s32",
    ("int32", "int8"): "quantize_s32_s8", ("int32", "int16"): "quantize_s32_s16",
}  # fmt: skip
_FROM_FLOAT = {"int8": "quantize_f32_s8", "int16": "quantize_f32_s16"}


def _quantize(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    kinds = (given.dtype, made.dtype)
    if given.dtype == "float32" and made.dtype in _FROM_FLOAT:
        scale = np.array([made.scale], np.float32)
        return _layer(node, _FROM_FLOAT[made.dtype], {"scale": Constant(array=scale), "zero_point": made.zero_point})
    if given.dtype in EIGHT_BITS and made.dtype in LIMITS:
        multiplier, shift = quantize_multiplier(given.scale / made.scale)
        zero = given.zero_point
        return lookup(node, lambda x: clamped(multiply(x - zero, multiplier, shift) + made.zero_point, made.dtype))
    if kinds in _REQUANTIZED:
        multiplier, shift = quantize_multiplier(given.scale / made.scale)
        params = {"zero": given.zero_point, "multiplier": multiplier, "shift": shift, "zero_point": made.zero_point}
        return _layer(node, _REQUANTIZED[kinds], params)
    raise node.refuse(f"turns {given.dtype} into {made.dtype}, which TFLite does not")


def _dequantize(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    if made.dtype != "float32":
        raise node.refuse(f"turns {given.dtype} into {made.dtype}, which TFLite does not")
    if given.dtype in EIGHT_BITS:
        scale, zero = np.float32(given.scale), given.zero_point
        return lookup(node, lambda x: float(scale * np.float32(x - zero)))
    if given.dtype == "int16":
        scales = np.array([given.scale], np.float32)
        return _layer(node, "dequantize_s16", {"scale": Constant(array=scales), "zero": given.zero_point})
    raise node.refuse(f"turns {given.dtype} into {made.dtype}; the kernels take int8 or int16")


def _layer(node: Node, kernel: str, params: Mapping[str, int | Constant]) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    narrow = made.dtype == "int8"  # C lets bytes lie over other types, and no two other types over each other
    item = given.size_bytes // given.elements
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=kernel,
            params={**params, "size": given.elements},
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0, distance=1 - item),) if narrow or given.dtype == made.dtype else (),
        )
    ]


LOWERINGS: Mapping[str, Lower] = {"DEQUANTIZE": _dequantize, "QUANTIZE": _quantize}
