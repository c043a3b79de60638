"""Real values to a tensor's integers and back, the way the runtime's own kernels do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.core.artifact import TensorSpec


def quantize(x: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """Quantize real values for a tensor: `round(x / scale) + zero_point`, saturating.

    The division is done in float32 and a tie goes to the even neighbour. Of 256,000 values at or one ulp beside a tie,
    LiteRT 2.3's QUANTIZE (XNNPACK and optimized kernels) agreed on every one; the reference kernels send a tie away
    from zero, and so differ by one step exactly there.

    Args:
        x: real values of any shape; a tensor without a scale takes them as they are, cast to its dtype.
        spec: the tensor.

    Raises:
        InputError: a value is NaN, which no integer stands for.
    """
    dtype = np.dtype(spec.dtype)
    if spec.scale is None or spec.zero_point is None:
        return x.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    y: NDArray[np.float32] = np.divide(x, np.float32(spec.scale), dtype=np.float32)
    if np.isnan(y).any():
        raise InputError(f"a value for the tensor {spec.name!r} is NaN", hint="remove the sample, or repair it")
    np.rint(y, out=y)
    y += np.float32(spec.zero_point)
    np.clip(y, limits.min, limits.max, out=y)
    return y.astype(dtype)


def dequantize(q: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real values of a tensor's integers: `(q - zero_point) * scale` in float32; floats come back as float32."""
    if spec.scale is None or spec.zero_point is None:
        return q.astype(np.float32, copy=False)
    y = q.astype(np.float32)
    y -= np.float32(spec.zero_point)
    y *= np.float32(spec.scale)
    return y


def argmax_answers(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """The class with the highest score of every sample.

    Args:
        outputs: scores, shape (samples, ..., classes), quantized or not: an affine map with a positive scale keeps
            their order. Axes of length 1 in between are dropped.

    Returns:
        One class per sample; the lowest of equal ones, and -1, which no label equals, where a score is NaN.

    Raises:
        InputError: there are fewer than two scores per sample.
    """
    scores = outputs.reshape(len(outputs), -1)
    if outputs.ndim < 2 or outputs.shape[-1] < 2 or scores.shape[1] != outputs.shape[-1]:
        raise InputError(
            f"an output of the shape {list(outputs.shape)} holds no scores per class",
            hint="a classifier's output has the shape [samples, classes]",
        )
    answers: NDArray[np.int64] = np.argmax(scores, axis=1).astype(np.int64)
    if scores.dtype.kind == "f":
        answers[np.isnan(scores).any(axis=1)] = -1
    return answers
