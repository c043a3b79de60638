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


def _line(rng: Rng, *, op: str) -> bytes:
    """int16, straight on either side of 0."""
    size = int(rng.integers(1, 200))
    x, y = (random_spec(rng, (size,), dtype="int16") for _ in range(2))
    if op == "RELU6":
        x = replace(x, scales=(random_scale(rng, low=2e-4, high=0.01),))
        y = replace(y, scales=x.scales)
    fields = {"alpha": float(rng.uniform(-1.5, 1.5))} if op == "LEAKY_RELU" else {}
    return one(op, [x], y, options(_TABLES[op], **fields) if op in _TABLES else None)


def _softmax(rng: Rng, *, given: str, made: str) -> bytes:
    shape = tuple(int(rng.integers(1, 5)) for _ in range(rng.integers(0, 3)))
    shape = (*shape, int(rng.integers(1, 40)) if rng.random() < 0.9 else 500)
    scale, zero_point = {"int8 int8": (2**-8, -128), "int8 int16": (2**-16, -32768)}.get(f"{given} {made}", (2**-15, 0))
    y = Spec(shape=shape, dtype=made, scales=(scale,), zero_points=(zero_point,))
    table = options("SoftmaxOptions", beta=float(rng.choice([0.5, 1, 1, 2, 10])))
    return one("SOFTMAX", [random_spec(rng, shape, dtype=given)], y, table)


_OPS = ("ABS", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "RELU", "RELU6", "RSQRT", "TANH")
GENERATORS: dict[str, Callable[[Rng], Drawn | bytes]] = {
    **{op.lower(): partial(_function, op=op) for op in _OPS},
    **{f"{op.lower()} int16": partial(_curve, op=op) for op in ("LOGISTIC", "TANH")},
    **{f"{op.lower()} int16": partial(_line, op=op) for op in ("ABS", "LEAKY_RELU", "RELU", "RELU6")},
    "softmax": partial(_softmax, given="int8", made="int8"),
    "softmax int8 int16": partial(_softmax, given="int8", made="int16"),
    "softmax int16": partial(_softmax, given="int16", made="int16"),
}
