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
