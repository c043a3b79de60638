"""The fixed-point arithmetic of TensorFlow Lite's kernels, in exact Python integers: what the generated C computes.

Sources: gemmlowp/fixedpoint (SaturatingRoundingDoublingHighMul, RoundingDivideByPOT); tensorflow/lite/kernels/internal
(QuantizeMultiplier, MultiplyByQuantizedMultiplier), double rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A real factor as `multiplier * 2**(shift - 31)`.

    Returns:
        `multiplier` in [2**30, 2**31) (0 for 0), `shift` in [-31, 30]; positive shifts go to the left.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def quantize_multipliers(reals: Iterable[float]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """As `quantize_multiplier` for each; two int32 arrays of the same length."""
    pairs = [quantize_multiplier(float(real)) for real in reals]
    return (
        np.array([multiplier for multiplier, _ in pairs], dtype=np.int32),
        np.array([shift for _, shift in pairs], dtype=np.int32),
    )


def doubling_high_mul(a: int, b: int) -> int:
    """The SaturatingRoundingDoublingHighMul of gemmlowp for int32 a, b; ties away from zero as there."""
    if a == b == INT32_MIN:
        return INT32_MAX
    product = a * b
    nudge = 2**30 if product >= 0 else 1 - 2**30
    total = product + nudge
    return -(-total // 2**31) if total < 0 else total // 2**31  # C's division truncates


def divide_by_pot(x: int, exponent: int) -> int:
    """The RoundingDivideByPOT of gemmlowp: x / 2**exponent, to the nearest, ties away from zero."""
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if (x & mask) > threshold else 0)


def multiply(x: int, multiplier: int, shift: int) -> int:
    """TFLite's MultiplyByQuantizedMultiplier with double rounding."""
    left, right = max(shift, 0), max(-shift, 0)
    return divide_by_pot(doubling_high_mul(_wrap(x << left), multiplier), right)


def _wrap(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def multiply_by_pot(x: int, exponent: int) -> int:
    """The SaturatingRoundingMultiplyByPOT of gemmlowp: x * 2**exponent, saturated or rounded."""
    if exponent < 0:
        return divide_by_pot(x, -exponent)
    return min(max(x << exponent, INT32_MIN), INT32_MAX)


_EXP_OF_MINUS_POT = {-2: 1672461947, -1: 1302514674, 0: 790015084, 1: 290630308, 2: 39332535, 3: 720401, 4: 242}


def exp_of_negative(x: int, integer_bits: int) -> int:
    """The exp_on_negative_values of gemmlowp: e**(x / 2**(31 - integer_bits)) as Q0.31, for x <= 0."""
    if x == 0:
        return INT32_MAX
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    inner = (x & (quarter - 1)) - quarter
    result = _exp_near_minus_eighth(multiply_by_pot(inner, integer_bits))
    rest = inner - x
    for exponent, factor in _EXP_OF_MINUS_POT.items():
        if integer_bits > exponent and rest & (1 << (fractional_bits + exponent)):
            result = doubling_high_mul(result, factor)
    if integer_bits > 5 and x < -(1 << (36 - integer_bits)):
        return 0
    return result


def _exp_near_minus_eighth(a: int) -> int:
    """e**a for a in [-1/4, 0) as Q0.31: Taylor's polynomial of degree 4 round -1/8."""
    x = a + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3, x4 = doubling_high_mul(x2, x), doubling_high_mul(x2, x2)
    third = doubling_high_mul(divide_by_pot(x4, 2) + x3, 715827883)
    return 1895147668 + doubling_high_mul(1895147668, x + divide_by_pot(third + x2, 1))


def logistic(x: int, integer_bits: int) -> int:
    """The logistic of gemmlowp: 1 / (1 + e**-x) as Q0.31, x with `integer_bits` integer bits."""
    if x == 0:
        return 1 << 30
    positive = _newton(exp_of_negative(-abs(x), integer_bits))
    positive = multiply_by_pot(positive, 1)
    return positive if x > 0 else INT32_MAX - positive


def tanh(x: int, integer_bits: int) -> int:
    """The tanh of gemmlowp, (1 - e**-2x) / (1 + e**-2x), as Q0.31."""
    if x == 0:
        return 0
    power = exp_of_negative(-abs(x), integer_bits + 1)
    positive = multiply_by_pot(_newton(power) - (1 << 29), 2)
    return positive if x > 0 else -positive


def _newton(a: int) -> int:
    """2 / (1 + a) as Q2.29 for a in [0, 1) as Q0.31: three steps of Newton-Raphson from 48/17 - 32/17 d."""
    half = (a + INT32_MAX + 1) // 2
    x = 1515870810 + doubling_high_mul(half, -1010580540)
    for _ in range(3):
        x += multiply_by_pot(doubling_high_mul(x, (1 << 29) - doubling_high_mul(half, x)), 2)
    return x


def inverse_square_root(x: int) -> tuple[int, int]:
    """TFLite's GetInvSqrtQuantizedMultiplierExp: 1 / sqrt(x) for x > 0 as (multiplier, shift) of `multiply`."""
    if x <= 1:
        return INT32_MAX, 0
    shift = 11
    while x >= 1 << 29:
        x //= 4
        shift += 1
    pairs = (31 - x.bit_length()) // 2 - 1
    shift -= pairs
    half_input = divide_by_pot((x << 2 * pairs) >> 1, 1)  # Q3.28, as all of Newton-Raphson's steps
    root = 1 << 28
    for _ in range(5):
        cube = multiply_by_pot(doubling_high_mul(doubling_high_mul(root, root), root), 6)
        step = doubling_high_mul(3 << 27, root) - doubling_high_mul(half_input, cube)
        root = multiply_by_pot(step, 3)
    root = doubling_high_mul(root, 1518500250)  # sqrt(2) / 2
    return (root << -shift, 0) if shift < 0 else (root, -shift)


def wide_multiplier(real: float) -> tuple[int, int]:
    """As `quantize_multiplier` for 64-bit sums: a multiplier of 16 bits and the whole shift to the right.

    TFLite's MultiplyByQuantizedMultiplier of an int64.
    """
    multiplier, shift = quantize_multiplier(real)
    return (multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF, 15 - shift
