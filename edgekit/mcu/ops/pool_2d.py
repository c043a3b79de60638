"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._activation import activation_range
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._convolution import window
from edgekit.mcu.ops._mve import pool as mve
from edgekit.mcu.ops._overlap import distance

_KINDS = {"int8": "s8", "int16": "s16"}
_MOST_SCALE_DIFFERENCE = 1e-6
"""By how much TFLite lets the scales of input and output differ; it does not rescale."""


def _pool(node: Node, core: Core, kernel: str) -> Sequence[Lowered]:
    given, made, options = node.input(0), node.output, node.options
    if given.dtype != made.dtype or given.dtype not in _KINDS:
        raise node.refuse(f"pools {given.dtype} to {made.dtype}; the kernels take int8 and int16")
    if abs(given.scale - made.scale) > _MOST_SCALE_DIFFERENCE or given.zero_point != made.zero_point:
        raise node.refuse("has an output that is quantized otherwise than its input")
    if given.shape[-1] != made.shape[-1]:
        raise node.refuse(f"turns {list(given.shape)} into {list(made.shape)}")
    slide = window(
        node,
        (options.integer(4), options.integer(3)),
        padding=options.integer(0, kind="b"),
        stride=(options.integer(2), options.integer(1)),
        dilation=(1, 1),
    )
    channels, item = given.shape[-1], given.size_bytes // given.elements
    lowest = slide.lowest_bytes(channels * item, np.arange(channels, dtype=np.int64) * item)
    written = np.arange(1, len(lowest) + 1, dtype=np.int64) * item
    low, high = activation_range(node, options.integer(5, kind="b"), made)
    layer = Layer(
        name=f"{node.place} {node.op}",
        kernel=f"{kernel}_{_KINDS[given.dtype]}",
        params=slide.fields() | {"channels": channels, "low": low, "high": high},
        inputs=(given,),
        outputs=(made,),
        overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
    )
    return [(core.mve and mve.pool(layer, slide)) or layer]


def _average(node: Node, core: Core) -> Sequence[Lowered]:
    return _pool(node, core, "average_pool")


def _max(node: Node, core: Core) -> Sequence[Lowered]:
    return _pool(node, core, "max_pool")


LOWERINGS: Mapping[str, Lower] = {"AVERAGE_POOL_2D": _average, "MAX_POOL_2D": _max}
