"""Inputs for a model: a data set in the model's own types, or random values when there is no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.layout import laid_out
from edgekit.core.quantize import quantize


def model_inputs(dataset: Dataset, specs: Sequence[TensorSpec]) -> tuple[NDArray[Any], ...]:
    """The samples as a model takes them.

    Values that have the tensor's integer type already are taken as they are (raw pixels for a uint8 model); real
    values are quantized on the host, so that a quarter of the bytes travels.

    Args:
        dataset: one array per input, first axis = sample.
        specs: the model's inputs, in the same order.
    """
    arrays = []
    for stored, spec in zip(dataset.inputs, specs, strict=True):
        array = laid_out(stored, spec)
        as_it_is = array.dtype == np.dtype(spec.dtype)
        arrays.append(array if as_it_is else quantize(array, spec))
    return tuple(arrays)


def synthetic_inputs(specs: Sequence[TensorSpec], *, n: int, seed: int) -> tuple[NDArray[Any], ...]:
    """Random samples that every model can take.

    Uniform over the range of a quantized tensor, and uniform in [0, 1) for floats. Integers without a scale may be
    positions in a table (token ids of an Embedding), whose size no signature tells: they are 0 or 1.

    Args:
        specs: the model's inputs.
        n: number of samples.
        seed: the same seed gives the same bytes.
    """
    generator = np.random.default_rng(seed)
    arrays: list[NDArray[Any]] = []
    for spec in specs:
        dtype, shape = np.dtype(spec.dtype), (n, *(max(size, 1) for size in spec.shape[1:]))
        if dtype.kind not in "iub":
            arrays.append(generator.random(shape, dtype=np.float32).astype(dtype))
        elif spec.scale is None:
            arrays.append(generator.integers(0, 1, size=shape, dtype=dtype, endpoint=True))
        else:
            limits = np.iinfo(dtype)
            arrays.append(generator.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True))
    return tuple(arrays)
