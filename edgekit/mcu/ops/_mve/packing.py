"""Weights and factors in the order in which the vector kernels read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.layer import Constant, Layer
from edgekit.mcu.ops._dsp.packing import array, integer

if TYPE_CHECKING:
    from numpy.typing import NDArray

LANES = 16
_OUTPUTS = 4
_ALIGN = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """A matrix, and how its sums become int8.

    Attributes:
        weights: int8 [outputs, depth].
        bias: int32 [outputs], the input's zero point folded in.
        multipliers, shifts: int32 [outputs].
        zero_point, low, high: of the output.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.int32]
    zero_point: int
    low: int
    high: int


def product(portable: Layer, prefix: str) -> Product:
    """The matrix of a portable layer whose kernel keeps it under `prefix`."""
    return Product(
        weights=array(portable, f"{prefix}weights"),
        bias=array(portable, f"{prefix}bias"),
        multipliers=array(portable, f"{prefix}multipliers"),
        shifts=array(portable, f"{prefix}shifts"),
        zero_point=integer(portable, f"{prefix}zero_point"),
        low=integer(portable, f"{prefix}low"),
        high=integer(portable, f"{prefix}high"),
    )


def padded(depth: int) -> int:
    """Bytes of a vector with `depth` channels, up to whole registers."""
    return -(-depth // LANES) * LANES


def matmul(matrix: Product) -> dict[str, int | Constant] | None:
    """The fields of a `struct ek_matmul_s8_mve` with the name `matmul`; None: a factor of 1 or more (left shifts)."""
    if matrix.shifts.max(initial=-31) > 0:
        return None
    outputs, depth = matrix.weights.shape
    full = np.zeros((-(-outputs // _OUTPUTS) * _OUTPUTS, padded(depth)), np.int8)
    full[:outputs, :depth] = matrix.weights
    blocks = full.reshape(-1, _OUTPUTS, padded(depth) // LANES, LANES).transpose(0, 2, 1, 3)
    scaling = np.zeros((3, len(full)), np.int32)
    scaling[:, :outputs] = matrix.bias, matrix.multipliers, matrix.shifts
    fields = {
        "weights": Constant(array=np.ascontiguousarray(blocks), align=_ALIGN),
        "scaling": Constant(array=scaling.reshape(3, -1, _OUTPUTS).transpose(1, 0, 2).copy(), align=_ALIGN),
        "depth": depth,
        "outputs": outputs,
        "zero_point": matrix.zero_point,
        "low": matrix.low,
        "high": matrix.high,
    }
    return {f"matmul.{name}": value for name, value in fields.items()}
