"""Weights in the order in which the matrix kernels for the DSP extension read them.

Two outputs share a 16-bit half: 256 * odd + even as a signed sum. SMLAD with the raw word then adds up
256 * (sum of odd) + (sum of even), SXTB16 takes the even weights out, and the odd sum is the difference / 256: one
unpacking instruction for four weights. All of it is arithmetic modulo 2**32, exact while the odd sum fits 24 bits.

A result is requantized as SMMLAR(2 * sum, multiplier, half), which is the rounding doubling high multiplication plus
`half` = 2**(e - 1) + zero point * 2**e, less 1 for a negative sum, shifted right by e >= 1: gemmlowp's rounding with
ties away from zero. (Where the product of a negative sum rounds to 0, the 1 taken off changes nothing:
(2**(e - 1) - 1) >> e is 0 as well.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.mcu.fixed_point import multiply
from edgekit.mcu.layer import Constant, Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 4
RECTIFIED = -128  # a zero point below which int8 has nothing: negative sums need no rounding
_SUM_LIMIT, _ODD_LIMIT, _STEP_BITS = 2**30, 2**23, 22


def integer(layer: Layer, name: str) -> int:
    """A field of a layer that is a number."""
    value = layer.params[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} of {layer.name} is {type(value).__name__}")
    return value


def array(layer: Layer, name: str) -> NDArray[Any]:
    """The content of a field of a layer that is a constant."""
    value = layer.params[name]
    if not isinstance(value, Constant):
        raise TypeError(f"{name} of {layer.name} is {type(value).__name__}")
    return value.array


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """A matrix product with its requantization.

    Attributes:
        weights: shape [outputs, depth], int8.
        bias: shape [outputs], int32, with the input's zero point in it.
        multipliers, shifts: shape [outputs], int32; see `fixed_point`.
        zero_point: of the output.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.int32]
    zero_point: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Proven:
    """A product whose results the kernels' arithmetic gives exactly.

    Attributes:
        weights: shape [outputs, depth], int64.
        bias: shape [outputs], int64.
        scales: (multiplier, half, e) of each output; shape [outputs, 3], int64.
        is_step: outputs with one value for sums from 0 on and one less below; shape [outputs].
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    scales: NDArray[np.int64]
    is_step: NDArray[np.bool_]

    @property
    def sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The lowest and highest sum of each output over all int8 inputs; two arrays of shape [outputs]."""
        above, below = np.maximum(self.weights, 0).sum(axis=1), np.minimum(self.weights, 0).sum(axis=1)
        return self.bias + 127 * below - 128 * above, self.bias + 127 * above - 128 * below


def prove(dense: Dense) -> Proven | None:
    """The product in the kernels' terms, or None where a result may differ.

    Training switches channels off: tiny weights, a bias near 2**30 and a shift to match. Their outputs have one value,
    or two with a step between them. The step stands at sum 0 after it is taken off the bias; the largest multiplier
    keeps the sign of every sum, and e is so large that this is all that is left of it.
    """
    exponents = -dense.shifts.astype(np.int64)
    half = (1 + 2 * dense.zero_point) * (np.int64(1) << (exponents - 1).clip(0, 31))
    plain = Proven(
        weights=dense.weights.astype(np.int64),
        bias=dense.bias.astype(np.int64),
        scales=np.stack([dense.multipliers.astype(np.int64), half, exponents], axis=1),
        is_step=np.zeros(len(half), np.bool_),
    )
    low, high = plain.sums
    largest = np.maximum(-low, high)
    plain.is_step[:] = (exponents < 1) | (largest >= _SUM_LIMIT) | (np.abs(half) + largest + 1 >= 2**31)
    for o in np.flatnonzero(plain.is_step):
        step = _step(dense, int(o), int(low[o]), int(high[o]))
        if step is None:
            return None
        first, value = step
        plain.weights[o] *= int(low[o] < first)
        plain.bias[o] = plain.bias[o] - first if low[o] < first else 0
        exponent = int(high[o] - low[o]).bit_length() if low[o] < first else 1
        if exponent > _STEP_BITS:
            return None
        plain.scales[o] = 2**31 - 1, value << exponent, exponent
    return plain


def _step(dense: Dense, o: int, low: int, high: int) -> tuple[int, int] | None:
    """(the first sum in [low, high] with the highest result of output `o`, that result); None: over two results."""
    if dense.shifts[o] > 0:
        return None

    def result(total: int) -> int:
        scaled = multiply(total, int(dense.multipliers[o]), int(dense.shifts[o])) + dense.zero_point
        return min(max(scaled, -128), 127)

    value = result(high)
    if value - result(low) > 1:
        return None
    first, last = low, high
    while first < last:
        middle = (first + last) // 2
        first, last = (first, middle) if result(middle) == value else (middle + 1, last)
    return first, value


def pack(dense: Dense) -> NDArray[np.int32] | None:
    """The blocks of `struct ek_packed_dsp`, or None where a proof fails.

    A block of four outputs: biases (even, 256 * odd + even, twice), weights of channels (0, 2), (1, 3), (4, 6), ... for
    both pairs of outputs, then (multiplier, half, e) of each output. The depth is padded with zeros to a multiple of 4.
    """
    outputs, depth = dense.weights.shape
    proven = prove(dense)
    if proven is None or outputs < BLOCK:
        return None
    weights = np.pad(proven.weights, ((0, 0), (0, -depth % 4)))
    low, high = proven.sums
    blocks = []
    for first in [*range(0, outputs - BLOCK + 1, BLOCK), *([outputs - BLOCK] if outputs % BLOCK else [])]:
        rows = slice(first, first + BLOCK)
        even, odd = weights[rows][0::2], weights[rows][1::2]
        halves = 256 * odd + even
        if halves.min() < -(2**15) or min(low[rows][1::2]) < -_ODD_LIMIT or max(high[rows][1::2]) >= _ODD_LIMIT:
            return None
        biases = proven.bias[rows]
        starts = np.stack([biases[0::2], 256 * biases[1::2] + biases[0::2]], axis=1)
        quads = halves.reshape(2, -1, 4)
        words = np.stack([_word(quads[..., 0], quads[..., 2]), _word(quads[..., 1], quads[..., 3])], axis=2)
        blocks += [starts.ravel(), words.transpose(1, 2, 0).ravel(), proven.scales[rows].ravel()]
    return np.concatenate(blocks).astype(np.uint32).view(np.int32)


def _word(low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    return (low & 0xFFFF) | ((high & 0xFFFF) << 16)
