"""TRANSPOSE_CONV: an upsampling convolution, computed as one small convolution for each phase of the stride."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Constant, Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._activation import activation_range
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._convolution import SAME, Sums, check_types, symmetric
from edgekit.mcu.ops._overlap import NOTHING, distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _transpose_conv(node: Node, _core: Core) -> Sequence[Lowered]:
    given, made, options = node.input(2), node.output, node.options
    kind = check_types(node, given, node.input(1), made)
    weights = symmetric(node)
    outputs, kernel_h, kernel_w, channels = weights.shape
    if (given.shape[0], *given.shape[3:], *made.shape[3:]) != (made.shape[0], channels, outputs):
        raise node.refuse(f"has weights {list(weights.shape)} from {list(given.shape)} to {list(made.shape)}")
    stride = (options.integer(2), options.integer(1))
    if min(stride) < 1:
        raise node.refuse(f"has the stride {list(stride)}")
    same = options.integer(0, kind="b") == SAME
    kernel = (kernel_h, kernel_w)
    pads = [_before(*sizes) if same else 0 for sizes in zip(made.shape[1:3], kernel, stride, strict=True)]
    sums = Sums(node=node, given=given, weights=weights.reshape(outputs, -1), bias_place=3, wide=kind == "s16")
    taken = [weights[:, i :: stride[0], j :: stride[1]] for i in range(stride[0]) for j in range(stride[1])]
    phases = [phase[:, ::-1, ::-1] for phase in taken]
    sizes = [phase.size for phase in phases]
    bias = np.stack([sums.folded_bias(phase.reshape(outputs, -1)) for phase in phases])
    low, high = activation_range(node, options.integer(3, kind="b"), made)
    item = made.size_bytes // made.elements
    lowest = _lowest_pixels(given.shape, made.shape, kernel, stride, pads)
    written = np.arange(1, len(lowest) + 1, dtype=np.int64) * (outputs * item)
    lowest = np.minimum(lowest, NOTHING // (channels * item)) * (channels * item)
    fields = {
        "batches": given.shape[0], "in_h": given.shape[1], "in_w": given.shape[2], "channels": channels,
        "out_h": made.shape[1], "out_w": made.shape[2], "outputs": outputs, "kernel_h": kernel_h, "kernel_w": kernel_w,
        "stride_h": stride[0], "stride_w": stride[1], "pad_h": pads[0], "pad_w": pads[1], "padding": given.zero_point,
        "dense.zero_point": made.zero_point, "dense.low": low, "dense.high": high,
    }  # fmt: skip
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel=f"transpose_conv_{kind}",
            params={f"dense.{name}": value for name, value in sums.requantization().items()}
            | {
                "dense.weights": Constant(array=np.concatenate([phase.ravel() for phase in phases])),
                "dense.bias": Constant(array=bias),
                "starts": Constant(array=np.cumsum([0, *sizes[:-1]]).astype(np.int32)),
            }
            | fields,
            inputs=(given,),
            outputs=(made,),
            scratch_bytes=max(sizes) // outputs * item,
            overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
            macs=given.elements * weights[..., 0].size,
        )
    ]


def _before(size: int, kernel: int, stride: int) -> int:
    """The padding above (to the left) that the forward convolution of this output would have."""
    return max(0, (-(-size // stride) - 1) * stride + kernel - size) // 2


def _lowest_pixels(
    given: Sequence[int], made: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pads: Sequence[int]
) -> NDArray[np.int64]:
    """The lowest input pixel that each output pixel reads; `NOTHING` where it reads none."""
    firsts = []
    for axis in (0, 1):
        place = np.arange(made[axis + 1], dtype=np.int64) + pads[axis]
        taps = -(-(kernel[axis] - place % stride[axis]) // stride[axis])
        last = place // stride[axis]
        first = np.maximum(0, last - taps + 1)
        firsts.append(np.where((taps > 0) & (first <= last) & (first < given[axis + 1]), first, -1))
    rows, columns = firsts
    pixels = np.where((rows[:, None] < 0) | (columns < 0), NOTHING, rows[:, None] * given[2] + columns).ravel()
    images = np.arange(given[0], dtype=np.int64)[:, None] * (given[1] * given[2])
    return np.minimum(images + pixels, NOTHING).ravel()


LOWERINGS: Mapping[str, Lower] = {"TRANSPOSE_CONV": _transpose_conv}
