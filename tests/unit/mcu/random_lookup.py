"""Random functions of one tensor: each model is asked for every int8 value, or for many int16 ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from tests.models.mcu_models import Drawn, Spec, one, options, random_scale, random_spec

_ALL = np.arange(-128, 128).astype(np.int8)
_TABLES = {"LEAKY_RELU": "LeakyReluOptions", "HARD_SWISH": "HardSwishOptions", "ABS": "AbsOptions"}
_FIXED = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
Rng = np.random.Generator


def _function(rng: Rng, *, op: str) -> Drawn:
    x, y = random_spec(rng, (256,)), random_spec(rng, (256,))
    if op in _FIXED:
        scale, zero_point = _FIXED[op]
        y = replace(y, scales=(scale,), zero_points=(zero_point,))
    if op == "HARD_SWISH":
        y = replace(y, scales=(float(np.float32(x.scales[0] * rng.uniform(0.05, 4))),))
    fields = {"alpha": float(rng.uniform(-1.5, 1.5))} if op == "LEAKY_RELU" else {}
    table = options(_TABLES[op], **fields) if op in _TABLES else None
    values = np.clip(_ALL, x.zero_points[0], 127).astype(np.int8) if op == "RSQRT" else _ALL
    return Drawn(model=one(op, [x], y, table), calls=((values,),))


def _curve(rng: Rng, *, op: str) -> Drawn:
    powers = (-12, -11, -13, -10)
    scale = 2.0 ** int(rng.choice(powers)) if rng.random() < 0.5 else random_scale(rng, low=1e-6, high=0.1)
    x = Spec(shape=(1024,), dtype="int16", scales=(scale,), zero_points=(0,))
    y = Spec(shape=(1024,), dtype="int16", scales=(2.0**-15,), zero_points=(0,))
    return Drawn(model=one(op, [x], y), calls=((rng.integers(-32768, 32768, 1024).astype(np.int16),),))


def _softmax(rng: Rng, *, dtype: str) -> bytes:
    shape = tuple(int(rng.integers(1, 5)) for _ in range(rng.integers(0, 3)))
    shape = (*shape, int(rng.integers(1, 40)) if rng.random() < 0.9 else 500)
    bits = 8 if dtype == "int8" else 16
    y = Spec(shape=shape, dtype=dtype, scales=(2.0**-bits,), zero_points=(-(2 ** (bits - 1)),))
    table = options("SoftmaxOptions", beta=float(rng.choice([0.5, 1, 1, 2, 10])))
    return one("SOFTMAX", [random_spec(rng, shape)], y, table)


_OPS = ("ABS", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "RELU", "RELU6", "RSQRT", "TANH")
GENERATORS: dict[str, Callable[[Rng], Drawn | bytes]] = {
    **{op.lower(): partial(_function, op=op) for op in _OPS},
    **{f"{op.lower()} int16": partial(_curve, op=op) for op in ("LOGISTIC", "TANH")},
    "softmax": partial(_softmax, dtype="int8"),
    "softmax int16": partial(_softmax, dtype="int16"),
}
