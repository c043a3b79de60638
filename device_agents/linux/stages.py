"""What surrounds a call of a quantized model: real inputs are brought to its type, its outputs back to real values."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device_agents.linux.runners import Session

_CALLS = 8
"""Outputs of so many calls are read."""


def times_ns(session: Session, samples: Sequence[tuple[Any, ...]], count: int) -> dict[str, list[int]]:
    """Times of `quantize` and `dequantize`, for all inputs and for all outputs of one call each.

    real = (q - zero_point) * scale (B. Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", CVPR 2018, equation 1). Reading an output includes its argmax.

    Args:
        session: tells scale and zero point of its inputs and outputs as `quantization`, or has no stages.
        samples: inputs of the model in its own type.
        count: times that are taken of each stage.
    """
    quantization = getattr(session, "quantization", {})
    found: dict[str, list[int]] = {}
    inputs = [(place, pair) for place, pair in enumerate(quantization.get("inputs", ())) if pair]
    if inputs:
        import numpy as np

        real = [
            [(_real(np, sample[place], pair), sample[place].dtype, pair) for place, pair in inputs]
            for sample in samples
        ]
        found["quantize"] = _times(_quantize, real, count)
    outputs = [(place, pair) for place, pair in enumerate(quantization.get("outputs", ())) if pair]
    if outputs:
        answers = [session.run(sample) for sample in samples[:_CALLS]]
        found["dequantize"] = _times(
            _dequantize, [[(answer[place], pair) for place, pair in outputs] for answer in answers], count
        )
    return found


def _quantize(np: Any, tensors: list[tuple[Any, Any, tuple[float, int]]]) -> None:
    for values, dtype, (scale, zero_point) in tensors:
        limits = np.iinfo(dtype)
        np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max).astype(dtype)


def _dequantize(np: Any, tensors: list[tuple[Any, tuple[float, int]]]) -> None:
    for values, pair in tensors:
        _real(np, values, pair).argmax()


def _real(np: Any, values: Any, pair: tuple[float, int]) -> Any:
    scale, zero_point = pair
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def _times(work: Callable[[Any, Any], None], inputs: list[Any], count: int) -> list[int]:
    import numpy as np

    clock, found = time.perf_counter_ns, []
    work(np, inputs[0])  # the first use of a part of NumPy may import it
    for one in itertools.islice(itertools.cycle(inputs), count):
        started = clock()
        work(np, one)
        found.append(clock() - started)
    return found
