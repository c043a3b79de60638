"""FULLY_CONNECTED: a matrix times each vector of a batch, per tensor or per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import LITERT_REF, Constant, Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._activation import activation_range
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._convolution import Sums, check_types
from edgekit.mcu.ops._dsp import convolution as dsp
from edgekit.mcu.ops._mve import convolution as mve
from edgekit.mcu.ops._overlap import distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUND_ONCE = 2
"""Value of `small` in `struct ek_dense_s8`."""


def _fully_connected(node: Node, core: Core) -> Sequence[Lowered]:
    given, made, options = node.input(0), node.output, node.options
    kind = check_types(node, given, node.input(1), made)
    if options.integer(1, kind="b"):
        raise node.refuse("has shuffled weights")
    if kind == "s16" and len(node.input(1).scales) > 1:
        raise node.refuse("multiplies int16 values by weights with a scale for each channel")
    weights = _centred(node)
    outputs, depth = weights.shape
    batches = given.elements // depth
    if given.elements != batches * depth or made.elements != batches * outputs:
        raise node.refuse(f"has weights {list(weights.shape)} between {list(given.shape)} and {list(made.shape)}")
    sums = Sums(node=node, given=given, weights=weights, wide=kind == "s16")
    low, high = activation_range(node, options.integer(0, kind="b"), made)
    item = made.size_bytes // made.elements
    steps = np.arange(batches * outputs, dtype=np.int64)
    layer = Layer(
        name=f"{node.place} {node.op}",
        kernel=f"fully_connected_{kind}",
        params={f"dense.{name}": value for name, value in sums.requantization().items()}
        | {
            "dense.weights": Constant(array=weights),
            "dense.bias": Constant(array=sums.folded_bias()),
            "dense.depth": depth,
            "dense.zero_point": made.zero_point,
            "dense.low": low,
            "dense.high": high,
            "batches": batches,
            "outputs": outputs,
        },
        inputs=(given,),
        outputs=(made,),
        overlaps=(Overlap(input=0, distance=distance((steps + 1) * item, steps // outputs * (depth * item))),),
        macs=batches * outputs * depth,
    )
    if core.profile == LITERT_REF:
        if kind != "s8":
            raise node.refuse("multiplies int16 values, which the rounding profile litert_ref does not cover")
        return [replace(layer, params={**layer.params, "dense.small": _ROUND_ONCE})]
    if core.mve and (vectors := mve.fully_connected(layer)):
        return [vectors]
    return [dsp.fully_connected(layer) if core.dsp else layer]


def _centred(node: Node) -> NDArray[np.int8]:
    """Weights with their zero point taken off, as TFLite's kernel does.

    Raises:
        UnsupportedError: no quantization, a zero point for each channel, or a difference that does not fit int8.
    """
    quantization = node.input(1).quantization
    if quantization is None or len(set(quantization.zero_points)) != 1:
        raise node.refuse("has weights without scales, or with a zero point for each channel")
    shifted = node.constant(1).astype(np.int16) - quantization.zero_points[0]
    if shifted.min() < -128 or shifted.max() > 127:
        raise node.refuse(f"has weights with the zero point {quantization.zero_points[0]}")
    return shifted.astype(np.int8)


LOWERINGS: Mapping[str, Lower] = {"FULLY_CONNECTED": _fully_connected}
