"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR of images; sizes are the output's, scales and zero points stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Layer, Lowered, Overlap
from edgekit.mcu.ops._base import Lower
from edgekit.mcu.ops._overlap import distance
from edgekit.mcu.ops._pick import pick

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRACTION_BITS = 10


def _check(node: Node) -> None:
    given, made = node.input(0), node.output
    shapes = f"resizes {list(given.shape)} to {list(made.shape)}"
    if len(given.shape) != 4 or len(made.shape) != 4:
        raise node.refuse(shapes)
    if (given.shape[0], given.shape[3]) != (made.shape[0], made.shape[3]):
        raise node.refuse(shapes)
    if tuple(node.constant(1).ravel()) != made.shape[1:3]:
        raise node.refuse(f"{shapes}, and asks for {node.constant(1).tolist()}")


def _nearest(node: Node, _core: Core) -> Sequence[Lowered]:
    _check(node)
    aligns, centres = node.options.flag(0), node.options.flag(1)
    sources = [
        _sources(size, out, aligns=aligns, centres=centres) if axis in (1, 2) else np.arange(size)
        for axis, (size, out) in enumerate(zip(node.input(0).shape, node.output.shape, strict=True))
    ]
    return [pick(node, sources)]


def _sources(size: int, out: int, *, aligns: bool, centres: bool) -> NDArray[np.int64]:
    """The nearest neighbour of each output pixel, in float32 as TFLite's GetNearestNeighbor; shape [out]."""
    corners = aligns and out > 1
    scale = np.float32(size - 1 if corners else size) / np.float32(out - 1 if corners else out)
    places = (np.arange(out).astype(np.float32) + np.float32(0.5 if centres else 0)) * scale
    rounded = np.floor(places + np.float32(0.5)) if aligns else np.floor(places)
    nearest: NDArray[np.int64] = np.clip(rounded.astype(np.int64), 0, size - 1)
    return nearest


def _bilinear(node: Node, _core: Core) -> Sequence[Lowered]:
    _check(node)
    given, made = node.input(0), node.output
    if given.dtype != "int8" or made.dtype != "int8":
        raise node.refuse(f"resizes {given.dtype} to {made.dtype}; the kernel takes int8")
    aligns, centres = node.options.flag(2), node.options.flag(3)
    batches, in_h, in_w, channels = given.shape
    out_h, out_w = made.shape[1:3]
    scale_h, scale_w = _scale(in_h, out_h, aligns=aligns), _scale(in_w, out_w, aligns=aligns)
    begin_h, begin_w = (scale // 2 - 512 if centres else 0 for scale in (scale_h, scale_w))
    top = np.maximum(0, (begin_h + np.arange(out_h, dtype=np.int64) * scale_h) >> _FRACTION_BITS)
    left = np.maximum(0, (begin_w + np.arange(out_w, dtype=np.int64) * scale_w) >> _FRACTION_BITS)
    images = np.arange(batches, dtype=np.int64)[:, None, None, None] * (in_h * in_w)
    pixels = images + top[:, None, None] * in_w + left[:, None]
    lowest = (pixels * channels + np.arange(channels)).ravel()
    written = np.arange(1, len(lowest) + 1, dtype=np.int64)
    return [
        Layer(
            name=f"{node.place} {node.op}",
            kernel="resize_bilinear_s8",
            params={
                "batches": batches, "in_h": in_h, "in_w": in_w, "out_h": out_h, "out_w": out_w, "channels": channels,
                "scale_h": scale_h, "scale_w": scale_w, "begin_h": begin_h, "begin_w": begin_w,
            },
            inputs=(given,),
            outputs=(made,),
            overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
        )
    ]  # fmt: skip


def _scale(size: int, out: int, *, aligns: bool) -> int:
    """Input pixels for one output pixel, 10 fractional bits; TFLite's ResizeBilinearInteger."""
    if aligns and out > 1:
        size, out = size - 1, out - 1
    return ((size << _FRACTION_BITS) + out // 2) // out


LOWERINGS: Mapping[str, Lower] = {"RESIZE_NEAREST_NEIGHBOR": _nearest, "RESIZE_BILINEAR": _bilinear}
