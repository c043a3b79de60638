"""Random FULLY_CONNECTED layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.models.mcu_models import one, options, random_spec
from tests.models.mcu_spatial import activation, output, weighted


def fully_connected(rng: np.random.Generator, *, dtype: str = "int8") -> bytes:
    """Any batch and rank, with and without bias; int8 also per channel."""
    batch, depth, outputs = (int(rng.integers(1, high)) for high in (4, 40, 12))
    keeps = bool(rng.random() < 0.3)
    x = random_spec(rng, (1, batch, depth) if keeps else (batch, depth), dtype=dtype)
    weights, bias, spread = weighted(rng, (outputs, depth), axis=0, x=x, outputs=outputs, channels=dtype == "int8")
    if len(weights.scales) == 1 and dtype == "int8" and rng.random() < 0.15:
        weights = replace(weights, zero_points=(int(rng.integers(-30, 30)),), data=weights.data // 2)
    y = output(rng, x, (*x.shape[:-1], outputs), spread)
    table = options("FullyConnectedOptions", fusedActivationFunction=activation(rng), keepNumDims=keeps)
    return one("FULLY_CONNECTED", [x, weights, bias], y, table, version=4)


GENERATORS = {"fully_connected": fully_connected}
