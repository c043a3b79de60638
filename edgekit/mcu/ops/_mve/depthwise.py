"""DEPTHWISE_CONV_2D with the vector extension."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.layer import Constant, Layer, Overlap
from edgekit.mcu.ops._dsp.packing import integer
from edgekit.mcu.ops._mve.convolution import windows
from edgekit.mcu.ops._mve.packing import Product, product
from edgekit.mcu.ops._overlap import Window, distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROUP = 32
"""Channels in scratch at once: two registers of each row, so that little goes to loops."""
_BLOCK = 16
"""Outputs of a row from one block of scratch."""
_KEPT = 4
"""Rows and columns that one vector of 16 bytes holds."""


def depthwise(portable: Layer, slide: Window) -> Layer | None:
    """The layer of the portable kernel `depthwise_s8` in vectors.

    None for windows of more than 4 x 4, dilation, several outputs for each of several channels, and factors of 1 or
    more.
    """
    if portable.kernel != "depthwise_s8":
        return None
    matrix, padding = _product(portable), integer(portable, "in_zero_point")
    channels = portable.inputs[0].shape[-1]
    if channels == 1:  # every output sees the only channel: an ordinary convolution
        return windows(portable, slide, matrix, padding)
    if integer(portable, "multiplier") != 1 or max(slide.kernel) > _KEPT or slide.dilation != (1, 1):
        return None
    if matrix.shifts.max() > 0:
        return None
    scaling = np.stack([matrix.bias, matrix.multipliers, matrix.shifts], axis=1).astype(np.int32)
    fields: dict[str, int | Constant] = {
        "scaling": Constant(array=scaling),
        "channels": channels,
        "zero_point": matrix.zero_point,
        "low": matrix.low,
        "high": matrix.high,
        "padding": padding,
    }
    shared = slide.fields() | {f"depthwise.{name}": value for name, value in fields.items()}
    if slide.stride == (1, 1) and max(slide.kernel) < _KEPT:
        return _dense(replace(portable, params=shared), slide, matrix)
    return _strided(replace(portable, params=shared), slide, matrix)


def _dense(layer: Layer, slide: Window, matrix: Product) -> Layer:
    channels = len(matrix.weights)
    in_place = slide.input == slide.output
    group = min(_GROUP, channels) if in_place else channels
    columns = slide.output[1] + slide.output[1] % 2 + 2
    weights = np.append(_words(matrix.weights, slide.kernel, first=1), np.zeros(_KEPT, np.int8))
    return replace(
        layer,
        kernel="depthwise_s8_mve",
        params={
            **layer.params,
            "depthwise.weights": Constant(array=weights),
            "group": group,
            "columns": columns,
        },
        scratch_bytes=_KEPT * columns * group,
        overlaps=() if in_place else (_rows_overlap(slide, channels),),
        in_place=in_place,
    )


def _strided(layer: Layer, slide: Window, matrix: Product) -> Layer:
    channels, across = len(matrix.weights), slide.output[1]
    block = -(-across // -(-across // _BLOCK))
    columns = (block - 1) * slide.stride[1] + _KEPT
    return replace(
        layer,
        kernel="depthwise_strided_s8_mve",
        params={
            **layer.params,
            "depthwise.weights": Constant(array=_words(matrix.weights, slide.kernel)),
            "block": block,
        },
        scratch_bytes=_KEPT * columns * channels,
        overlaps=(_blocks_overlap(slide, channels, block),),
    )


def _product(portable: Layer) -> Product:
    """Weights as [outputs, kernel height * kernel width], the input's zero point in the bias."""
    matrix = product(portable, "")
    weights = np.ascontiguousarray(matrix.weights.reshape(-1, matrix.weights.shape[-1]).T)
    shift = integer(portable, "in_zero_point") * weights.astype(np.int32).sum(axis=1)
    return replace(matrix, weights=weights, bias=matrix.bias - shift.astype(np.int32))


def _words(weights: NDArray[np.int8], kernel: tuple[int, int], *, first: int = 0) -> NDArray[np.int8]:
    """[channels][4 columns][4 rows], the window from column `first`, zero elsewhere; flat."""
    full = np.zeros((len(weights), _KEPT, _KEPT), np.int8)
    full[:, first : first + kernel[1], : kernel[0]] = weights.reshape(-1, *kernel).transpose(0, 2, 1)
    return full.ravel()


def _rows_overlap(slide: Window, channels: int) -> Overlap:
    """Rows come into scratch two at a time, four before the first two rows of outputs."""
    in_bytes, out_bytes = (size[0] * size[1] * channels for size in (slide.input, slide.output))
    starts = np.arange(0, slide.output[0], 2)
    images = np.arange(slide.batches)[:, None]
    begins = starts - slide.padding[0] + np.where(starts == 0, 0, 2)
    lowest = images * in_bytes + np.clip(begins, 0, slide.input[0]) * slide.input[1] * channels
    ends = np.minimum(starts + 2, slide.output[0]) * slide.output[1] * channels
    return Overlap(input=0, distance=distance((images * out_bytes + ends).ravel(), lowest.ravel()))


def _blocks_overlap(slide: Window, channels: int, block: int) -> Overlap:
    """All that the windows of a block see comes into scratch before its outputs are written."""
    in_pixels, out_pixels = (size[0] * size[1] for size in (slide.input, slide.output))
    images = np.arange(slide.batches)[:, None, None]
    rows, columns = np.arange(slide.output[0])[:, None], np.arange(0, slide.output[1], block)
    top, left = (
        np.clip(starts * slide.stride[axis] - slide.padding[axis], 0, slide.input[axis])
        for axis, starts in ((0, rows), (1, columns))
    )
    lowest = (images * in_pixels + top * slide.input[1] + left) * channels
    ends = rows * slide.output[1] + np.minimum(columns + block, slide.output[1])
    written = (images * out_pixels + ends) * channels
    return Overlap(input=0, distance=distance(written.ravel(), lowest.ravel()))
