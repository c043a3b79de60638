"""Random changes of type: QUANTIZE, DEQUANTIZE, CAST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.models.mcu_models import Drawn, Spec, one, options, random_spec

_REQUANTIZED = (
    ("int8", "int8"), ("int8", "uint8"), ("uint8", "int8"), ("int8", "int16"), ("int8", "int32"), ("int16", "int8"),
    ("int16", "int16"), ("int16", "int32"), ("int32", "int8"), ("int32", "int16"), ("float32", "int8"),
    ("float32", "int16"),
)  # fmt: skip
_CAST = ("int8", "int16", "int32", "float32")
Rng = np.random.Generator


def _spec(rng: Rng, size: int, dtype: str) -> Spec:
    if dtype == "float32":
        return Spec(shape=(size,), dtype=dtype)
    spec = random_spec(rng, (size,), dtype="int8" if dtype == "uint8" else dtype)
    if dtype == "uint8":
        return replace(spec, dtype=dtype, zero_points=(spec.zero_points[0] + 128,))
    if dtype == "int16":
        return replace(spec, zero_points=(int(rng.integers(-3000, 3000)),))
    return spec


def _quantize(rng: Rng) -> bytes:
    given, made = _REQUANTIZED[rng.integers(len(_REQUANTIZED))]
    size = int(rng.integers(1, 80))
    return one("QUANTIZE", [_spec(rng, size, given)], _spec(rng, size, made))


def _dequantize(rng: Rng) -> bytes:
    size = int(rng.integers(1, 80))
    return one(
        "DEQUANTIZE", [_spec(rng, size, str(rng.choice(["int8", "uint8", "int16"])))], _spec(rng, size, "float32")
    )


def _cast(rng: Rng) -> Drawn:
    """Floats stay in the range of int8: beyond it C++ defines no result."""
    given, made, size = str(rng.choice([*_CAST, "bool"])), str(rng.choice(_CAST)), int(rng.integers(1, 60))
    model = one("CAST", [Spec(shape=(size,), dtype=given)], Spec(shape=(size,), dtype=made), options("CastOptions"))
    if given != "float32":
        return Drawn(model=model)
    return Drawn(model=model, calls=((rng.uniform(-120, 120, size).astype(np.float32),),))


GENERATORS: dict[str, Callable[[Rng], Drawn | bytes]] = {
    "quantize": _quantize,
    "dequantize": _dequantize,
    "cast": _cast,
}
