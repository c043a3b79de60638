"""Random operators of two tensors with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tests.models.mcu_models import Drawn, Spec, one, options, random_spec

_LIMITS = {"int8": (-128, 128), "int16": (-32768, 32768)}
Rng = np.random.Generator
Shape = tuple[int, ...]


def _shapes(rng: Rng) -> tuple[Shape, Shape, Shape]:
    """Of both inputs and of the output: equal, a scalar, a vector of channels, or any broadcast."""
    whole = [int(rng.integers(1, 6)) for _ in range(rng.integers(1, 5))]
    a, b = list(whole), list(whole)
    kind = rng.random()
    if kind < 0.15:
        b = [1]
    elif kind < 0.35:
        b = whole[-1:]
    elif kind < 0.65:
        for axis in range(len(whole)):
            side = int(rng.integers(0, 4))
            if side < 2:
                (a, b)[side][axis] = 1
    if rng.random() < 0.5:
        a, b = b, a
    return tuple(a), tuple(b), tuple(np.broadcast_shapes(tuple(a), tuple(b)))


def _perhaps_constant(rng: Rng, spec: Spec) -> Spec:
    if rng.random() > 0.3:
        return spec
    return replace(spec, data=rng.integers(*_LIMITS[spec.dtype], spec.shape).astype(spec.dtype))


def _scaled(spec: Spec, scale: float) -> Spec:
    return replace(spec, scales=(float(np.float32(scale)),))


def _sum(rng: Rng, *, op: str, dtype: str) -> bytes:
    a_shape, b_shape, shape = _shapes(rng)
    a, b, y = (random_spec(rng, one, dtype=dtype) for one in (a_shape, b_shape, shape))
    if rng.random() < 0.4:  # powers of two apart, so that many results end in a half
        b, y = (_scaled(one, a.scales[0] * 2.0 ** rng.integers(-2, 4)) for one in (b, y))
    table = options(f"{op.capitalize()}Options", fusedActivationFunction=_activation(rng), potScaleInt16=False)
    return one(op, [a, _perhaps_constant(rng, b)], y, table)


def _activation(rng: Rng) -> int:
    return int(rng.choice([0, 0, 1, 2, 3]))


def _product(rng: Rng, *, op: str, dtype: str) -> bytes:
    a_shape, b_shape, shape = _shapes(rng)
    a, b, y = (random_spec(rng, one, dtype=dtype) for one in (a_shape, b_shape, shape))
    spread = rng.uniform(50, 300) * (100 if dtype == "int16" else 1)
    y = _scaled(y, a.scales[0] * b.scales[0] * spread)
    table: Any = options("SquaredDifferenceOptions")
    if op == "MUL":
        table = options("MulOptions", fusedActivationFunction=_activation(rng))
    return one(op, [a, _perhaps_constant(rng, b)], y, table)


def _quotient(rng: Rng) -> Drawn:
    """Divisors other than 0, and factors for which TFLite's shifts are all defined."""
    shape = (int(rng.integers(1, 40)),)
    a, b, y = (random_spec(rng, shape) for _ in range(3))
    y = _scaled(y, a.scales[0] / b.scales[0] * 2.0 ** -rng.uniform(8, 20))
    call = tuple(rng.integers(-128, 128, shape).astype(np.int8) for _ in range(2))
    divisor = np.where(call[1] == b.zero_points[0], b.zero_points[0] - 1 if b.zero_points[0] > -128 else -127, call[1])
    table = options("DivOptions", fusedActivationFunction=_activation(rng))
    return Drawn(model=one("DIV", [a, b], y, table), calls=((call[0], divisor.astype(np.int8)),))


def _extreme(rng: Rng, *, op: str, dtype: str) -> bytes:
    a_shape, b_shape, shape = _shapes(rng)
    a = random_spec(rng, a_shape, dtype=dtype)
    b = _perhaps_constant(rng, replace(a, shape=b_shape))
    return one(op, [a, b], replace(a, shape=shape), options("MaximumMinimumOptions"))


def _prelu(rng: Rng) -> bytes:
    shape = tuple(int(rng.integers(1, 6)) for _ in range(rng.integers(1, 5)))
    x, y = random_spec(rng, shape), random_spec(rng, shape)
    slope_shape = shape if rng.random() < 0.3 else (*(1 for _ in shape[:-1]), shape[-1])
    slope = random_spec(rng, slope_shape)
    y = _scaled(y, x.scales[0] * rng.uniform(0.5, 3))
    slope = replace(slope, data=rng.integers(-128, 128, slope_shape).astype(np.int8))
    return one("PRELU", [x, slope], y)


GENERATORS: dict[str, Callable[[Rng], Drawn | bytes]] = {
    **{f"{op.lower()} {kind}": partial(_sum, op=op, dtype=kind) for op in ("ADD", "SUB") for kind in _LIMITS},
    **{f"mul {kind}": partial(_product, op="MUL", dtype=kind) for kind in _LIMITS},
    **{
        f"{op.lower()} {kind}": partial(_extreme, op=op, dtype=kind)
        for op in ("MAXIMUM", "MINIMUM")
        for kind in _LIMITS
    },
    **{f"squared_difference {kind}": partial(_product, op="SQUARED_DIFFERENCE", dtype=kind) for kind in _LIMITS},
    "div": _quotient,
    "prelu": _prelu,
}
