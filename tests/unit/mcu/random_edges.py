"""Layers whose sums lie beside the borders between two output values: the last bit of a multiplier shows."""

from __future__ import annotations

import numpy as np

from tests.models.mcu_models import Spec, constant, one, options, random_scale, random_spec

_OUTPUTS = 48


def _edges(rng: np.random.Generator, *, op: str) -> bytes:
    """Weights are 0, so that each sum is its bias; per tensor or per channel."""
    x = random_spec(rng, (1, 1) if op == "FULLY_CONNECTED" else (1, 1, 1, _OUTPUTS if "DEPTH" in op else 1))
    scales = np.array([random_scale(rng) for _ in range(_OUTPUTS if rng.random() < 0.5 else 1)])
    spread = float(x.scales[0] * scales.max())
    y = Spec(
        shape=(*x.shape[:-1], _OUTPUTS),
        scales=(float(np.float32(spread * 2.0 ** rng.uniform(18, 23))),),
        zero_points=random_spec(rng, (1,)).zero_points,
    )
    steps = rng.integers(-128, 128, _OUTPUTS) - y.zero_points[0] + 0.5
    sums = np.round(steps * y.scales[0] / (x.scales[0] * scales)) + rng.integers(-1, 2, _OUTPUTS)
    bias = constant(np.clip(sums, -(2**30), 2**30), dtype="int32", scales=x.scales[0] * scales)
    if op == "FULLY_CONNECTED":
        weights = constant(np.zeros((_OUTPUTS, 1)), dtype="int8", scales=scales)
        return one(op, [x, weights, bias], y, options("FullyConnectedOptions"), version=4)
    axis, shape = (3, (1, 1, 1, _OUTPUTS)) if "DEPTH" in op else (0, (_OUTPUTS, 1, 1, 1))
    weights = constant(np.zeros(shape), dtype="int8", scales=scales, axis=axis)
    if "DEPTH" in op:
        table = options("DepthwiseConv2DOptions", strideH=1, strideW=1, depthMultiplier=1)
    else:
        table = options("Conv2DOptions", strideH=1, strideW=1)
    return one(op, [x, weights, bias], y, table, version=3)


def fully_connected(rng: np.random.Generator) -> bytes:
    """FULLY_CONNECTED."""
    return _edges(rng, op="FULLY_CONNECTED")


def conv_2d(rng: np.random.Generator) -> bytes:
    """CONV_2D."""
    return _edges(rng, op="CONV_2D")


def depthwise_conv_2d(rng: np.random.Generator) -> bytes:
    """DEPTHWISE_CONV_2D."""
    return _edges(rng, op="DEPTHWISE_CONV_2D")


GENERATORS = {
    "fully_connected_edges": fully_connected,
    "conv_2d_edges": conv_2d,
    "depthwise_conv_2d_edges": depthwise_conv_2d,
}
