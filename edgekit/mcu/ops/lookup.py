"""Activations and other functions of one int8 tensor, as tables; some of int16 ones, computed.

Each entry is computed in TFLite's own arithmetic (reference/integer_ops and tflite-micro's kernels), so that the table
holds what the kernel would answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import divide_by_pot, inverse_square_root, logistic, multiply, quantize_multiplier, tanh
from edgekit.mcu.ir import Node, Value
from edgekit.mcu.layer import Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._curve import curve
from edgekit.mcu.ops._lookup import clamped, in_float32, lookup
from edgekit.mcu.ops._piecewise import piecewise

_INTEGER_BITS = 4
_ONE = (1 << 30, 1)
Function = Callable[[int], int]


def _int8(node: Node) -> tuple[Value, Value]:
    given, made = node.input(0), node.output
    if (given.dtype, made.dtype) != ("int8", "int8"):
        raise node.refuse(f"computes {given.dtype} -> {made.dtype}; the kernel takes int8")
    return given, made


def _logistic(node: Node, _core: Core) -> Sequence[Lowered]:
    if node.input(0).dtype == "int16":
        return _by_curve(node, shifts=(0,))
    given, made = _int8(node)
    if made.zero_point != -128:
        raise node.refuse(f"has the output zero point {made.zero_point}; TFLite takes -128")
    return lookup(node, _saturated(given, lambda x: divide_by_pot(logistic(x, _INTEGER_BITS), 23) - 128))


def _tanh(node: Node, _core: Core) -> Sequence[Lowered]:
    if node.input(0).dtype == "int16":
        return _by_curve(node, shifts=(0, 1))
    given, _ = _int8(node)
    return lookup(node, _saturated(given, lambda x: divide_by_pot(tanh(x, _INTEGER_BITS), 24)))


def _by_curve(node: Node, *, shifts: tuple[int, ...]) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    plain = made.dtype == "int16" and not given.zero_point and not made.zero_point and given.elements == made.elements
    if not plain or round(math.log2(made.scale)) != -15:
        raise node.refuse(
            f"gives {made.dtype} of scale {made.scale:.3g}; int16 is computed at 2**-15 without zero points"
        )
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"{node.op.lower()}_s16",
            params={**curve(node, given.scale, shifts=shifts), "size": given.elements},
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0),),
        )
    ]


def _saturated(given: Value, function: Function) -> Function:
    """A function of Q4.27 that is at its limits from the end of that format on (CalculateInputRadius)."""
    multiplier, shift = quantize_multiplier(given.scale * 2.0 ** (31 - _INTEGER_BITS))
    radius = math.floor((2**_INTEGER_BITS - 1) * 2.0 ** (31 - _INTEGER_BITS) / 2.0**shift)

    def apply(value: int) -> int:
        x = value - given.zero_point
        if abs(x) >= radius:
            return 127 if x >= radius else -128
        return clamped(function(multiply(x, multiplier, shift)), "int8")

    return apply


def _relu(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    multiplier, shift = factor = quantize_multiplier(given.scale / made.scale)
    if given.dtype == "int16":
        return piecewise(node, factor, factor, low=made.zero_point)
    _int8(node)

    def apply(value: int) -> int:
        scaled = multiply(value - given.zero_point, multiplier, shift) + made.zero_point
        return clamped(max(scaled, made.zero_point), "int8")

    return lookup(node, apply)


def _relu6(node: Node, _core: Core) -> Sequence[Lowered]:
    """As TFLite does, without rescaling: the input's scale is taken for the output's too."""
    given = node.input(0)
    six = in_float32(np.float32(6) / np.float32(given.scale)) + given.zero_point
    if given.dtype == "int16":
        if given.zero_point or node.output.zero_point:
            raise node.refuse("has int16 tensors with a zero point other than 0")
        return piecewise(node, _ONE, _ONE, low=0, high=clamped(six, "int16"))
    _int8(node)
    six = clamped(six, "int8")
    return lookup(node, lambda value: min(max(value, given.zero_point), six))


def _leaky_relu(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    positive = quantize_multiplier(given.scale / made.scale)
    negative = quantize_multiplier(given.scale * node.options.number(0) / made.scale)
    if given.dtype == "int16":
        return piecewise(node, positive, negative)
    _int8(node)

    def apply(value: int) -> int:
        x = value - given.zero_point
        return clamped(multiply(x, *(positive if x >= 0 else negative)) + made.zero_point, "int8")

    return lookup(node, apply)


def _hard_swish(node: Node, _core: Core) -> Sequence[Lowered]:
    """In int16 steps, each rounded or saturated as reference/hard_swish.h does."""
    given, made = _int8(node)
    fine = np.float32(1 / 128) * np.float32(given.scale)
    out_multiplier, out_exponent = _halved(float(fine / np.float32(made.scale)))
    relu_multiplier, relu_exponent = _halved(float(fine / (np.float32(3) / np.float32(32768))))
    if not -16 < out_exponent <= 0 or relu_exponent <= -16:
        raise node.refuse(f"turns the scale {given.scale:.3g} into {made.scale:.3g}, too far away for 16 bits")

    def apply(value: int) -> int:
        x = (value - given.zero_point) * 128
        gate = x
        if relu_exponent > 0:
            gate = clamped(gate << (relu_exponent - 1), "int16")
        gate = _high_mul16(gate, relu_multiplier)
        if relu_exponent > 0:
            gate = clamped(gate << 1, "int16")
        elif relu_exponent < 0:
            gate = divide_by_pot(gate, -relu_exponent)
        product = ((gate + 32768) >> 1) * _high_mul16(x, out_multiplier)
        towards_zero = -(-product // 32768) if product < 0 else product // 32768
        return clamped(divide_by_pot(towards_zero, -out_exponent) + made.zero_point, "int8")

    return lookup(node, apply)


def _halved(factor: float) -> tuple[int, int]:
    """A multiplier of 16 bits (DownScaleInt32ToInt16Multiplier) and its exponent."""
    multiplier, exponent = quantize_multiplier(factor)
    return min((multiplier + (1 << 15)) >> 16, 32767), exponent


def _high_mul16(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul for int16."""
    if a == b == -32768:
        return 32767
    total = a * b + (2**14 if a * b >= 0 else 1 - 2**14)
    return -(-total // 2**15) if total < 0 else total // 2**15


def _abs(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    factor = _ONE if given.scale == made.scale else quantize_multiplier(given.scale / made.scale)
    if given.dtype == "int16":
        return piecewise(node, factor, (-factor[0], factor[1]))
    _int8(node)
    return lookup(
        node, lambda value: clamped(multiply(abs(value - given.zero_point), *factor) + made.zero_point, "int8")
    )


def _rsqrt(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = _int8(node)
    multiplier, shift = quantize_multiplier(1 / (math.sqrt(given.scale) * made.scale))
    kept = 20  # bits of the fraction between the two multiplications

    def apply(value: int) -> int:
        x = value - given.zero_point
        if x <= 0:  # of 0 it is the largest value; TFLite stops at a negative one
            return 127
        inverse, inverse_shift = inverse_square_root(x)
        root = multiply(1, inverse, inverse_shift + kept)
        return clamped(multiply(root, multiplier, shift - kept) + made.zero_point, "int8")

    return lookup(node, apply)


LOWERINGS: Mapping[str, Lower] = {
    "ABS": _abs,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky_relu,
    "LOGISTIC": _logistic,
    "RELU": _relu,
    "RELU6": _relu6,
    "RSQRT": _rsqrt,
    "TANH": _tanh,
}
