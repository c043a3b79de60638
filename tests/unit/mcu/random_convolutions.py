"""Random CONV_2D and DEPTHWISE_CONV_2D layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.models.mcu_models import one, options, random_spec
from tests.models.mcu_spatial import activation, output, spatial, weighted


def conv_2d(rng: np.random.Generator, *, dtype: str = "int8") -> bytes:
    """A convolution, in groups or not."""
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    if rng.random() < 0.25:
        kernel = (1, 1)
    groups = int(rng.choice([1, 1, 1, 2, 3])) if dtype == "int8" else 1
    per_group, outputs = int(rng.integers(1, 9)), groups * int(rng.integers(1, 9))
    size, stride, dilation, out, padding = spatial(rng, kernel)
    batch = 2 if rng.random() < 0.1 else 1
    x = random_spec(rng, (batch, *size, groups * per_group), dtype=dtype)
    weights, bias, spread = weighted(rng, (outputs, *kernel, per_group), axis=0, x=x, outputs=outputs)
    if bias is not None and dtype == "int16" and rng.random() < 0.3:  # which makes the sums narrow
        bias = replace(bias, dtype="int32", data=bias.data.astype(np.int32))
    y = output(rng, x, (batch, *out, outputs), spread)
    table = options(
        "Conv2DOptions", padding=padding, strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
        dilationWFactor=dilation[1], fusedActivationFunction=activation(rng),
    )  # fmt: skip
    return one("CONV_2D", [x, weights, bias], y, table, version=3)


def depthwise_conv_2d(rng: np.random.Generator, *, dtype: str = "int8") -> bytes:
    """A depthwise convolution with any multiplier; always with bias, without which tflite-micro crashes."""
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    if rng.random() < 0.5:
        kernel = (3, 3)
    channels, multiplier = int(rng.integers(1, 9)), int(rng.choice([1, 1, 1, 2, 3, 8]))
    size, stride, dilation, out, padding = spatial(rng, kernel)
    x = random_spec(rng, (1, *size, channels), dtype=dtype)
    outputs = channels * multiplier
    weights, bias, spread = weighted(rng, (1, *kernel, outputs), axis=3, x=x, outputs=outputs, biased=1.0)
    y = output(rng, x, (1, *out, outputs), spread)
    table = options(
        "DepthwiseConv2DOptions", padding=padding, strideH=stride[0], strideW=stride[1], depthMultiplier=multiplier,
        dilationHFactor=dilation[0], dilationWFactor=dilation[1], fusedActivationFunction=activation(rng),
    )  # fmt: skip
    return one("DEPTHWISE_CONV_2D", [x, weights, bias], y, table, version=3)


GENERATORS = {"conv_2d": conv_2d, "depthwise_conv_2d": depthwise_conv_2d}
