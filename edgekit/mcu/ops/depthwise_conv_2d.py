"""DEPTHWISE_CONV_2D: any multiplier, stride, dilation and padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._activation import activation_range
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._convolution import Sums, check_types, symmetric, window
from edgekit.mcu.ops._dsp.depthwise import depthwise
from edgekit.mcu.ops._mve import depthwise as mve
from edgekit.mcu.ops._overlap import distance


def _depthwise_conv_2d(node: Node, core: Core) -> Sequence[Lowered]:
    given, made, options = node.input(0), node.output, node.options
    kind = check_types(node, given, node.input(1), made)
    weights = symmetric(node)
    one, kernel_h, kernel_w, outputs = weights.shape
    channels = given.shape[-1]
    if one != 1 or outputs % channels or made.shape[-1] != outputs:
        raise node.refuse(f"has weights {list(weights.shape)} for {channels} channels and {made.shape[-1]} outputs")
    slide = window(
        node,
        (kernel_h, kernel_w),
        padding=options.integer(0, kind="b"),
        stride=(options.integer(2, 1), options.integer(1, 1)),
        dilation=(options.integer(6, 1), options.integer(5, 1)),
    )
    multiplier = outputs // channels
    low, high = activation_range(node, options.integer(4, kind="b"), made)
    item = made.size_bytes // made.elements
    lowest = slide.lowest_bytes(channels * item, np.arange(outputs, dtype=np.int64) // multiplier * item)
    written = np.arange(1, len(lowest) + 1, dtype=np.int64) * item
    sums = Sums(node=node, given=given, weights=weights.reshape(-1, outputs).T, wide=kind == "s16")
    layer = Layer(
        name=f"{node.place} {node.op}",
        kernel=f"depthwise_{kind}",
        params=slide.fields()
        | sums.requantization()
        | {
            "weights": Constant(array=weights),
            "bias": Constant(array=sums.bias()),
            "channels": channels,
            "multiplier": multiplier,
            "in_zero_point": given.zero_point,
            "zero_point": made.zero_point,
            "low": low,
            "high": high,
        },
        inputs=(given,),
        outputs=(made,),
        overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
        macs=made.elements * kernel_h * kernel_w,
    )
    if core.mve and (vectors := mve.depthwise(layer, slide)):
        return [vectors]
    return [depthwise(layer, slide) if core.dsp else layer]


LOWERINGS: Mapping[str, Lower] = {"DEPTHWISE_CONV_2D": _depthwise_conv_2d}
