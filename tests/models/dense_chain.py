"""A .tflite of dense layers one behind the other: as much work as wanted, and every value known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.models.tflite_files import model, operator, operator_code, packed, tensor

Floats = NDArray[np.float32]


def weights_of(widths: Sequence[int]) -> list[Floats]:
    """The weights of each layer, [outputs, inputs]."""
    generator = np.random.default_rng(0)
    shapes = zip(widths[1:], widths, strict=False)
    return [generator.normal(size=shape, scale=1 / shape[1]).astype(np.float32) for shape in shapes]


def dense_chain(widths: Sequence[int]) -> bytes:
    """Dense layers with ReLU; tensors "x", "h0", "h1", ... and no bias.

    Args:
        widths: of the input and of each layer.
    """
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU
    tensors, operators, buffers = [tensor("x", [1, widths[0]])], [], [b""]
    for index, weights in enumerate(weights_of(widths)):
        buffers.append(weights.tobytes())
        tensors.append(tensor(f"w{index}", list(weights.shape), buffer=len(buffers) - 1))
        tensors.append(tensor(f"h{index}", [1, widths[index + 1]]))
        operators.append(operator(0, [2 * index, 2 * index + 1, -1], [2 * index + 2], options))
    codes = [operator_code(schema.BuiltinOperator.FULLY_CONNECTED)]
    return packed(model(tensors, operators, codes, buffers, io=([0], [len(tensors) - 1])))


def hidden(widths: Sequence[int], x: Floats) -> list[Floats]:
    """The values of "h0", "h1", ... for inputs [N, widths[0]]."""
    found = []
    for weights in weights_of(widths):
        x = np.maximum(x @ weights.T, 0)
        found.append(x)
    return found
