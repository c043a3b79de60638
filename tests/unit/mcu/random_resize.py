"""Random resizing of images and transposed convolutions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.models.mcu_models import Spec, constant, one, options, random_spec
from tests.models.mcu_spatial import SAME, output, weighted


def _resize(op: str, table: str) -> Callable[[np.random.Generator], bytes]:
    def draw(rng: np.random.Generator) -> bytes:
        batch = 2 if rng.random() < 0.2 else 1
        size, out = ([int(rng.integers(1, 9)) for _ in range(2)] for _ in range(2))
        if rng.random() < 0.4:
            out = [2 * length for length in size]
        x = random_spec(rng, (batch, *size, int(rng.integers(1, 6))))
        y = Spec(shape=(batch, *out, x.shape[3]), scales=x.scales, zero_points=x.zero_points)
        aligns, centres = [(False, False), (True, False), (False, True)][int(rng.integers(0, 3))]
        settings = options(table, alignCorners=aligns, halfPixelCenters=centres)
        return one(op, [x, constant(out, dtype="int32")], y, settings, version=3)

    return draw


def transpose_conv(rng: np.random.Generator, *, dtype: str = "int8") -> bytes:
    """A transposed convolution with any stride, also larger than the kernel."""
    kernel, stride = ([int(rng.integers(1, high)) for _ in range(2)] for high in (5, 4))
    padding = int(rng.integers(0, 2))
    size = [int(rng.integers(1, 7)) for _ in range(2)]
    out = [n * s if padding == SAME else (n - 1) * s + max(k, s) for n, s, k in zip(size, stride, kernel, strict=True)]
    batch, channels, outputs = (2 if rng.random() < 0.1 else 1), int(rng.integers(1, 9)), int(rng.integers(1, 9))
    x = random_spec(rng, (batch, *size, channels), dtype=dtype)
    weights, bias, spread = weighted(rng, (outputs, *kernel, channels), axis=0, x=x, outputs=outputs)
    y = output(rng, x, (batch, *out, outputs), spread)
    table = options("TransposeConvOptions", padding=padding, strideH=stride[0], strideW=stride[1])
    inputs = [constant(y.shape, dtype="int32"), weights, x, *([bias] if bias else [])]
    return one("TRANSPOSE_CONV", inputs, y, table, version=3)


GENERATORS = {
    "transpose_conv": transpose_conv,
    "resize_nearest_neighbor": _resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    "resize_bilinear": _resize("RESIZE_BILINEAR", "ResizeBilinearOptions"),
}
