"""How far two machines' values of one tensor are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.quantize import argmax_answers, dequantize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.core.artifact import TensorSpec


@dataclass(frozen=True, kw_only=True)
class TensorDrift:
    """One tensor on two machines.

    Attributes:
        name: of the tensor.
        samples, values: how many were compared.
        identical: samples whose values are all the same, bit for bit.
        differing_values: values that are not.
        max_lsb: largest difference in quantization steps; None for a tensor of floats.
        max_abs: largest finite difference in real units; None where every difference is beside a value that is not
            finite.
        agreeing: samples with the same class; None for a tensor that holds no scores.
    """

    name: str
    samples: int
    values: int
    identical: int
    differing_values: int
    max_lsb: int | None
    max_abs: float | None
    agreeing: int | None


def tensor_drift(
    ours: NDArray[Any], theirs: NDArray[Any], spec: TensorSpec, *, classifier: bool = False
) -> TensorDrift:
    """Compare the values of one tensor, sample by sample.

    Two values are the same if their bits are; 0.0 and -0.0, or two NaNs, may therefore differ.

    Args:
        ours, theirs: raw, of the same type and shape [samples, ...].
        spec: the tensor.
        classifier: it holds scores of classes.
    """
    n = len(ours)
    left, right = (np.ascontiguousarray(side).reshape(n, -1) for side in (ours, theirs))
    differs = _bits(left) != _bits(right)
    is_integer = left.dtype.kind in "iu"
    gap = np.abs(dequantize(left, spec).astype(np.float64) - dequantize(right, spec)) if left.size else np.zeros(1)
    finite = gap[np.isfinite(gap)]
    return TensorDrift(
        name=spec.name,
        samples=n,
        values=left.size,
        identical=int((~differs.any(axis=1)).sum()),
        differing_values=int(differs.sum()),
        max_lsb=int(np.abs(left.astype(np.int64) - right.astype(np.int64)).max(initial=0)) if is_integer else None,
        max_abs=float(finite.max()) if finite.size else None,
        agreeing=int((argmax_answers(ours) == argmax_answers(theirs)).sum()) if classifier else None,
    )


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    return values.view(f"u{values.dtype.itemsize}") if values.dtype.kind == "f" else values
