"""FULLY_CONNECTED, int8: a matrix times a vector, per tensor or per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.fixed_point import quantize_multipliers
from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered
from edgekit.mcu.ops._activation import activation_range
from edgekit.mcu.ops._base import Lower


def _fully_connected(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made = node.input(0), node.output
    weights = node.constant(1)
    if (given.dtype, made.dtype, weights.dtype.name) != ("int8", "int8", "int8"):
        raise node.refuse(f"computes {given.dtype} x {weights.dtype} -> {made.dtype}; the kernel takes int8")
    if node.options.integer(1, kind="b"):
        raise node.refuse("has shuffled weights")
    outputs, depth = weights.shape
    batches = given.elements // depth
    bias = np.zeros(outputs, np.int64) if node.optional(2) is None else node.constant(2).astype(np.int64)
    folded = bias - given.zero_point * weights.astype(np.int64).sum(axis=1)
    if np.any(np.asarray(node.input(1).quantization.zero_points)):  # type: ignore[union-attr]
        raise node.refuse("has weights with a zero point other than 0")
    scale = np.float32(given.scale) * node.input(1).scales.astype(np.float32)  # TFLite multiplies in float32 here
    multipliers, shifts = quantize_multipliers(np.broadcast_to(scale.astype(np.float64) / made.scale, (outputs,)))
    low, high = activation_range(node, node.options.integer(0, kind="b"), made)
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel="fully_connected_s8",
            params={
                "weights": Constant(array=weights),
                "bias": Constant(array=folded.astype(np.int32)),
                "multipliers": Constant(array=multipliers),
                "shifts": Constant(array=shifts),
                "batches": batches,
                "depth": depth,
                "outputs": outputs,
                "zero_point": made.zero_point,
                "low": low,
                "high": high,
            },
            inputs=(given,),
            outputs=(made,),
            macs=batches * outputs * depth,
        )
    ]


LOWERINGS: Mapping[str, Lower] = {"FULLY_CONNECTED": _fully_connected}
