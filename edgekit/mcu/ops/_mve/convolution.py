"""CONV_2D and FULLY_CONNECTED with the vector extension."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.layer import Layer, Overlap
from edgekit.mcu.ops._dsp.packing import integer
from edgekit.mcu.ops._mve.packing import Product, matmul, padded, product
from edgekit.mcu.ops._overlap import NOTHING, Window, distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def conv(portable: Layer, slide: Window) -> Layer | None:
    """The layer of the portable kernel `conv_s8` in vectors; None for groups and for factors of 1 or more."""
    if portable.kernel != "conv_s8" or integer(portable, "group_channels") != integer(portable, "channels"):
        return None
    return windows(portable, slide, product(portable, "dense."), integer(portable, "padding"))


def windows(portable: Layer, slide: Window, matrix: Product, padding: int) -> Layer | None:
    """A convolution as products of a matrix with windows.

    Args:
        portable: the layer to replace, with its input and output.
        slide: the window.
        matrix: weights of shape [outputs, kernel height * kernel width * channels].
        padding: the value round the image.
    """
    fields = matmul(matrix)
    if fields is None:
        return None
    outputs, depth = matrix.weights.shape
    channels = portable.inputs[0].shape[-1]
    if slide.kernel == (1, 1) and slide.stride == (1, 1):
        pixels = portable.inputs[0].elements // channels
        return replace(
            portable,
            kernel="pointwise_s8_mve",
            params={**fields, "pixels": pixels},
            scratch_bytes=2 * padded(depth),
            overlaps=(_pairs(np.arange(pixels, dtype=np.int64) * channels, outputs),),
        )
    rows, columns = ((slide.kernel[axis] - 1) * slide.dilation[axis] + 1 for axis in (0, 1))
    row_bytes = ((slide.output[1] - 1) * slide.stride[1] + columns) * channels
    return replace(
        portable,
        kernel="conv_s8_mve",
        params={
            **slide.fields(),
            **fields,
            "channels": channels,
            "padding": padding,
            "rows": rows,
            "row_bytes": row_bytes,
        },
        scratch_bytes=2 * padded(depth) + rows * row_bytes,
        overlaps=(_pairs(_row_reads(slide, rows, channels), outputs),),
    )


def fully_connected(portable: Layer) -> Layer | None:
    """The layer of the portable kernel `fully_connected_s8` in vectors; None for factors of 1 or more."""
    fields = matmul(product(portable, "dense.")) if portable.kernel == "fully_connected_s8" else None
    if fields is None:
        return None
    batches, outputs, depth = (integer(portable, name) for name in ("batches", "outputs", "dense.depth"))
    ends = np.minimum(np.arange(4, outputs + 4, 4), outputs)
    written = (np.arange(batches)[:, None] * outputs + ends).ravel()
    lowest = np.repeat(np.arange(batches) * depth, len(ends))
    return replace(
        portable,
        kernel="fully_connected_s8_mve",
        params={**fields, "batches": batches},
        overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
    )


def _row_reads(slide: Window, rows: int, channels: int) -> NDArray[np.int64]:
    """The lowest byte of input that each output pixel reads: rows are read once, before their first pixel."""
    in_h, in_w = slide.input
    begins = np.arange(slide.output[0]) * slide.stride[0] - slide.padding[0]
    kept = np.concatenate([[-slide.padding[0]], begins[:-1] + rows])  # rows before this one are in scratch
    first = np.maximum(np.maximum(begins, kept), 0)
    reads = np.full((slide.batches, *slide.output), NOTHING, np.int64)
    images = np.arange(slide.batches)[:, None] * (in_h * in_w * channels)
    fresh = first < np.minimum(begins + rows, in_h)
    reads[:, :, 0] = np.where(fresh, images + first * in_w * channels, NOTHING)
    return reads.ravel()


def _pairs(reads: NDArray[np.int64], outputs: int) -> Overlap:
    """The overlap of a kernel that writes two output pixels after it has read for both."""
    pairs = np.append(reads, NOTHING)[: len(reads) + len(reads) % 2].reshape(-1, 2).min(axis=1)
    written = np.minimum(np.arange(1, len(pairs) + 1) * 2, len(reads)) * outputs
    return Overlap(input=0, distance=distance(written, pairs))
