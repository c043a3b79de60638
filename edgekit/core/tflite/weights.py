"""What a compressor left of a model's weights: how many are zero, and how many different values there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.tflite.facts import WEIGHT_TYPES
from edgekit.core.tflite.model import Model, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PACKED_BITS = {"int4": 4, "uint4": 4, "int2": 2}
_STORED_AS = {"bfloat16": "uint16"}


@dataclass(frozen=True, kw_only=True)
class WeightFacts:
    """Counts over all weight tensors.

    Attributes:
        elements: values.
        zeros: how many of them stand for 0.
        unique: the largest number of different values in one tensor.
    """

    elements: int
    zeros: int
    unique: int

    @property
    def sparsity(self) -> float:
        """Share of zeros, 0 to 1."""
        return self.zeros / self.elements if self.elements else 0.0


def weight_facts(model: Model) -> WeightFacts:
    """Zeros and different values of the weights: constants of a weight type with at least two axes.

    Biases and the constants of normalisations have one axis, and nobody prunes or clusters them. An integer stands for
    0 where it equals its zero point. A tensor in TFLite's sparse encoding holds fewer values than its shape says; what
    it leaves out is 0. A buffer that several tensors share counts once.
    """
    elements = zeros = unique = 0
    shared = {id(tensor.data): tensor for graph in model.graphs for tensor in graph.tensors}
    for tensor in shared.values():
        if not tensor.is_constant or tensor.dtype not in WEIGHT_TYPES or len(tensor.shape) < 2:
            continue
        values = _values(tensor)
        left_out = max(tensor.elements - len(values), 0)
        stored = _zeros(values, tensor)
        elements += tensor.elements
        zeros += stored + left_out
        unique = max(unique, len(np.unique(values)) + (left_out > 0 and stored == 0))
    return WeightFacts(elements=elements, zeros=zeros, unique=unique)


def _values(tensor: Tensor) -> NDArray[Any]:
    """The stored values, one axis; those of less than a byte are unpacked, as unsigned patterns."""
    bits = _PACKED_BITS.get(tensor.dtype)
    if bits is None:
        return np.frombuffer(tensor.data, dtype=_STORED_AS.get(tensor.dtype, tensor.dtype))
    packed = np.frombuffer(tensor.data, dtype=np.uint8)
    parts = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    return np.stack(parts, axis=1).reshape(-1)[: tensor.elements]


def _zeros(values: NDArray[Any], tensor: Tensor) -> int:
    if tensor.quantization is None:
        return int((values == 0).sum())
    points = np.asarray(tensor.quantization.zero_points)
    if tensor.dtype in _PACKED_BITS:
        points = points % 2 ** _PACKED_BITS[tensor.dtype]
    if len(points) == 1 or len(values) != tensor.elements:  # which channel a sparse value is of, only its index says
        return int((values == points[0]).sum())
    shape = [len(points) if axis == tensor.quantization.axis else 1 for axis in range(len(tensor.shape))]
    return int((values.reshape(tensor.shape) == points.reshape(shape)).sum())
