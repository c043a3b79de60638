"""CONV_2D: any stride, dilation, padding and number of groups, per tensor or per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._activation import activation_range
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._convolution import Sums, check_types, symmetric, window
from edgekit.mcu.ops._dsp.convolution import conv
from edgekit.mcu.ops._mve import convolution as mve
from edgekit.mcu.ops._overlap import distance


def _conv_2d(node: Node, core: Core) -> Sequence[Lowered]:
    given, made, options = node.input(0), node.output, node.options
    kind = check_types(node, given, node.input(1), made)
    weights = symmetric(node)
    outputs, kernel_h, kernel_w, group_channels = weights.shape
    channels = given.shape[-1]
    if channels % group_channels or outputs % (channels // group_channels) or made.shape[-1] != outputs:
        raise node.refuse(f"has weights {list(weights.shape)} for {channels} channels and {made.shape[-1]} outputs")
    slide = window(
        node,
        (kernel_h, kernel_w),
        padding=options.integer(0, kind="b"),
        stride=(options.integer(2, 1), options.integer(1, 1)),
        dilation=(options.integer(5, 1), options.integer(4, 1)),
    )
    groups = channels // group_channels
    per_output = weights.reshape(outputs, -1)
    bias = node.optional(2)
    sums = Sums(
        node=node, given=given, weights=per_output, wide=kind == "s16" and (bias is None or bias.dtype == "int64")
    )
    low, high = activation_range(node, options.integer(3, kind="b"), made)
    item = made.size_bytes // made.elements
    lowest = slide.lowest_bytes(channels * item, np.arange(groups, dtype=np.int64) * (group_channels * item))
    written = np.arange(1, len(lowest) + 1, dtype=np.int64) * (outputs // groups * item)
    layer = Layer(
        name=f"{node.place} {node.op}",
        kernel=f"conv_{kind}",
        params=slide.fields()
        | {f"dense.{name}": value for name, value in sums.requantization().items()}
        | {
            "dense.weights": Constant(array=per_output),
            "dense.bias": Constant(array=sums.folded_bias()),
            "dense.depth": per_output.shape[1],
            "dense.zero_point": made.zero_point,
            "dense.low": low,
            "dense.high": high,
            "channels": channels,
            "outputs": outputs,
            "group_channels": group_channels,
            "group_outputs": outputs // groups,
            "padding": given.zero_point,
        },
        inputs=(given,),
        outputs=(made,),
        scratch_bytes=per_output.shape[1] * item,
        overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
        macs=made.elements * per_output.shape[1],
    )
    if core.mve and (vectors := mve.conv(layer, slide)):
        return [vectors]
    return [conv(layer, slide) if core.dsp else layer]


LOWERINGS: Mapping[str, Lower] = {"CONV_2D": _conv_2d}
