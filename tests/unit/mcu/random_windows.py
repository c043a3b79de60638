"""Random pooling, padding and reductions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from tests.models.mcu_models import Spec, constant, one, options, random_spec
from tests.models.mcu_spatial import activation, spatial


def pool(rng: np.random.Generator, *, op: str, dtype: str = "int8") -> bytes:
    """Pooling with any window; scales and zero points stay."""
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    size, stride, _, out, padding = spatial(rng, kernel, dilates=False)
    channels = int(rng.integers(1, 6))
    x = random_spec(rng, (1, *size, channels), dtype=dtype)
    y = replace(x, shape=(1, *out, channels))
    table = options(
        "Pool2DOptions", padding=padding, strideH=stride[0], strideW=stride[1], filterHeight=kernel[0],
        filterWidth=kernel[1], fusedActivationFunction=activation(rng),
    )  # fmt: skip
    return one(op, [x], y, table, version=2)


def mean(rng: np.random.Generator, *, op: str, dtype: str = "int8") -> bytes:
    """MEAN or SUM over one or two axes, often those of an image."""
    rank = int(rng.choice([1, 2, 3, 4, 4, 4]))
    shape = tuple(int(rng.integers(1, 8)) for _ in range(rank))
    axes = sorted(rng.choice(rank, size=int(rng.integers(1, min(rank, 2) + 1)), replace=False).tolist())
    if rank == 4 and rng.random() < 0.5:
        axes = [1, 2]
    keeps = bool(rng.random() < 0.5)
    x = random_spec(rng, shape, dtype=dtype)
    y = random_spec(rng, _reduced(shape, axes, keeps=keeps), dtype=dtype)
    if rng.random() < 0.3:
        y = replace(x, shape=y.shape)
    given = [axis - rank if rng.random() < 0.2 else axis for axis in axes]
    return one(op, [x, constant(given, dtype="int32")], y, options("ReducerOptions", keepDims=keeps), version=2)


def _reduced(shape: tuple[int, ...], axes: list[int], *, keeps: bool) -> tuple[int, ...]:
    if keeps:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes) or (1,)


def _padded(rng: np.random.Generator, x: Spec, most: list[int]) -> tuple[Spec, Spec]:
    amounts = np.array([[int(rng.integers(0, high + 1)) for _ in range(2)] for high in most])
    shape = tuple(size + int(pair.sum()) for size, pair in zip(x.shape, amounts, strict=True))
    return constant(amounts, dtype="int32"), replace(x, shape=shape)


def pad(rng: np.random.Generator, *, dtype: str = "int8") -> bytes:
    """PAD of one to four axes."""
    x = random_spec(rng, [int(rng.integers(1, 6)) for _ in range(int(rng.integers(1, 5)))], dtype=dtype)
    amounts, y = _padded(rng, x, [int(rng.integers(0, 4)) for _ in x.shape])
    return one("PAD", [x, amounts], y, options("PadOptions"), version=2)


def _padv2(rng: np.random.Generator) -> bytes:
    x = random_spec(rng, [int(rng.integers(1, 6)) for _ in range(int(rng.integers(1, 5)))])
    amounts, y = _padded(rng, x, [int(rng.integers(0, 4)) for _ in x.shape])
    value = Spec(shape=(), scales=x.scales, zero_points=x.zero_points, data=np.array(rng.integers(-128, 128), np.int8))
    return one("PADV2", [x, amounts, value], y, options("PadV2Options"), version=2)


def _mirror_pad(rng: np.random.Generator) -> bytes:
    mode = int(rng.integers(0, 2))
    x = random_spec(rng, [int(rng.integers(2, 6)) for _ in range(int(rng.integers(2, 5)))])
    mirrored = rng.choice(len(x.shape), size=int(rng.integers(1, min(len(x.shape), 3) + 1)), replace=False)
    amounts, y = _padded(rng, x, [(size - 1 + mode) * (axis in mirrored) for axis, size in enumerate(x.shape)])
    return one("MIRROR_PAD", [x, amounts], y, options("MirrorPadOptions", mode=mode))


GENERATORS = {
    "average_pool_2d": partial(pool, op="AVERAGE_POOL_2D"),
    "max_pool_2d": partial(pool, op="MAX_POOL_2D"),
    "mean": partial(mean, op="MEAN"),
    "sum": partial(mean, op="SUM"),
    "pad": pad,
    "padv2": _padv2,
    "mirror_pad": _mirror_pad,
}
