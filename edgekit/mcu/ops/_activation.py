"""Fused activations as a range of quantized values."""

from __future__ import annotations

import numpy as np

from edgekit.mcu.ir import Node, Value

_RANGES: dict[str, tuple[int, int]] = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}
_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = 0, 1, 2, 3
_BOUNDS: dict[int, tuple[float | None, float | None]] = {
    _NONE: (None, None), _RELU: (0.0, None), _RELU_N1_TO_1: (-1.0, 1.0), _RELU6: (0.0, 6.0),
}  # fmt: skip


def activation_range(node: Node, activation: int, value: Value) -> tuple[int, int]:
    """Lowest and highest quantized value that `value` may have after a fused activation.

    TFLite's CalculateActivationRangeQuantized: round(bound / scale) + zero point, in float32, clamped to the type.
    """
    if activation not in _BOUNDS:
        raise node.refuse(f"has the fused activation number {activation}")
    low, high = _RANGES[value.dtype]
    below, above = _BOUNDS[activation]
    if below is not None:
        low = max(low, _quantize(below, value))
    if above is not None:
        high = min(high, _quantize(above, value))
    return low, high


def _quantize(real: float, value: Value) -> int:
    quotient = np.float32(real) / np.float32(value.scale)
    return value.zero_point + int(np.copysign(np.floor(np.abs(quotient) + np.float32(0.5)), quotient))
