"""Random windows, weights and activations for the layers that slide over images."""

from __future__ import annotations

import numpy as np

from tests.models.mcu_models import Spec, constant, random_scale, random_spec

SAME, VALID = 0, 1


def spatial(
    rng: np.random.Generator, kernel: tuple[int, int], *, dilates: bool = True
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], int]:
    """(height, width) of the input, stride, dilation and of the output, and the padding."""
    padding = int(rng.integers(0, 2))
    stride = tuple(int(rng.integers(1, 4)) for _ in kernel)
    dilation = tuple(int(rng.integers(1, 4)) if dilates and rng.random() < 0.3 else 1 for _ in kernel)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(int(rng.integers(span if padding == VALID else 1, span + 7)) for span in spans)
    covered = [n if padding == SAME else n - span + 1 for n, span in zip(size, spans, strict=True)]
    out = tuple(-(-n // s) for n, s in zip(covered, stride, strict=True))
    return size, stride, dilation, out, padding  # type: ignore[return-value]


def weighted(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    *,
    axis: int,
    x: Spec,
    outputs: int,
    biased: float = 0.8,
    channels: bool = True,
) -> tuple[Spec, Spec | None, float]:
    """Weights, bias or None, and the scale of a typical output."""
    count = outputs if channels and rng.random() < 0.7 else 1
    scales = [random_scale(rng, low=0.001, high=0.05) for _ in range(count)]
    weights = constant(
        rng.integers(-128 if rng.random() < 0.2 else -127, 128, shape), dtype="int8", scales=scales, axis=axis
    )
    dtype, most = ("int32", 20_000) if x.dtype == "int8" else ("int64", 5_000_000)
    bias = constant(rng.integers(-most, most, outputs), dtype=dtype, scales=[x.scales[0] * scale for scale in scales])
    depth = weights.data.size // outputs
    spread = x.scales[0] * float(np.mean(scales)) * 74 * 74 * np.sqrt(depth) * (1 if x.dtype == "int8" else 256)
    return weights, bias if rng.random() < biased else None, spread


def output(rng: np.random.Generator, x: Spec, shape: tuple[int, ...], spread: float) -> Spec:
    """An activation that most sums fit, with some that are cut."""
    steps = 128 if x.dtype == "int8" else 32768
    zoom = 0.004 if rng.random() < 0.05 else 1  # then sums are scaled up
    scale = float(np.float32(spread / steps * zoom * rng.uniform(0.2, 2)))
    zero_points = random_spec(rng, (1,), dtype=x.dtype).zero_points
    return Spec(shape=shape, dtype=x.dtype, scales=(scale,), zero_points=zero_points)


def activation(rng: np.random.Generator) -> int:
    """A fused activation: none, ReLU, ReLU between -1 and 1, ReLU6."""
    return int(rng.choice([0, 0, 1, 2, 3]))
