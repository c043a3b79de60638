"""Random BATCH_MATMUL, ARG_MAX and ARG_MIN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from tests.models.mcu_models import Drawn, Spec, one, options, random_spec

Rng = np.random.Generator


def _batch_matmul(rng: Rng, *, dtype: str) -> bytes:
    """Up to three axes of matrices, broadcast or left out, each matrix as it is or transposed."""
    rows, depth, columns = (int(rng.integers(1, high)) for high in (6, 9, 6))
    whole = [int(rng.integers(1, 4)) for _ in range(rng.integers(0, 4))]
    one_side, other = ([1 if rng.random() < 0.2 else size for size in whole] for _ in range(2))
    if rng.random() < 0.2:
        other = other[len(other) // 2 :]
    first, second = (bool(rng.random() < 0.5) for _ in range(2))
    a = random_spec(rng, [*one_side, *((depth, rows) if first else (rows, depth))], dtype=dtype)
    b = random_spec(rng, [*other, *((columns, depth) if second else (depth, columns))], dtype=dtype)
    y = random_spec(rng, [*np.broadcast_shapes(tuple(one_side), tuple(other)), rows, columns], dtype=dtype)
    spread = rng.uniform(30, 200) * (1 if dtype == "int8" else 100) * np.sqrt(depth)
    y = replace(y, scales=(float(np.float32(a.scales[0] * b.scales[0] * spread)),))
    if rng.random() < 0.3:
        b = replace(b, data=rng.integers(-128, 128, b.shape).astype(dtype))
    return one("BATCH_MATMUL", [a, b], y, options("BatchMatMulOptions", adjX=first, adjY=second))


def _arg(rng: Rng, *, op: str, table: str) -> bytes:
    shape = [int(rng.integers(1, 6)) for _ in range(rng.integers(1, 5))]
    axis = int(rng.integers(0, len(shape)))
    place = Spec(shape=(), dtype="int32", data=np.array(axis - len(shape) * int(rng.integers(0, 2)), np.int32))
    y = Spec(shape=(*shape[:axis], *shape[axis + 1 :]), dtype="int32")
    return one(op, [random_spec(rng, shape), place], y, options(table, outputType=2))


GENERATORS: dict[str, Callable[[Rng], Drawn | bytes]] = {
    "batch_matmul": partial(_batch_matmul, dtype="int8"),
    "batch_matmul int16": partial(_batch_matmul, dtype="int16"),
    "arg_max": partial(_arg, op="ARG_MAX", table="ArgMaxOptions"),
    "arg_min": partial(_arg, op="ARG_MIN", table="ArgMinOptions"),
}
