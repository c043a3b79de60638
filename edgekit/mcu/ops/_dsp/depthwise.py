"""DEPTHWISE_CONV_2D with the DSP extension."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.layer import Constant, Layer, Overlap
from edgekit.mcu.ops._dsp.convolution import windows
from edgekit.mcu.ops._dsp.packing import RECTIFIED, Dense, array, integer, prove
from edgekit.mcu.ops._overlap import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROW_BYTES, _COLUMNS = 132, 66  # EK_PLANE_PITCH, EK_PLANE_COLUMNS
_MOST_ROWS = {1: 9, 2: 3}  # rows of output at once, by stride: scratch and distance against loops


def depthwise(portable: Layer, slide: Window) -> Layer:
    """The layer of the portable kernel `depthwise_s8`, faster where the proofs hold; else as it is."""
    if portable.kernel != "depthwise_s8":
        return portable
    padding, zero_point = integer(portable, "in_zero_point"), integer(portable, "zero_point")
    low, high = integer(portable, "low"), integer(portable, "high")
    channels, stride = integer(portable, "channels"), slide.stride[0]
    product = _product(portable)
    if channels == 1:
        return windows(portable, slide, product, padding, (low, high))
    packed = _packed(product) if _is_taken(portable, slide) else None
    if packed is None:
        return portable
    out_h, out_w = slide.output
    strip = -(-out_h // -(-out_h // _MOST_ROWS[stride]))
    tile = _tile(out_w, stride)
    starts = np.arange(0, out_h, strip)
    written = np.minimum(starts + strip, out_h) * (out_w * channels)
    lowest = np.maximum(starts * stride - slide.padding[0], 0) * (slide.input[1] * channels)
    return replace(
        portable,
        kernel="depthwise_3x3_s8_dsp",
        params={
            "packed": Constant(array=packed),
            "in_h": slide.input[0],
            "in_w": slide.input[1],
            "out_h": out_h,
            "out_w": out_w,
            "channels": channels,
            "stride": stride,
            "pad_h": slide.padding[0],
            "pad_w": slide.padding[1],
            "strip": strip,
            "tile": tile,
            "rectified": int(zero_point == RECTIFIED),
            "padding": padding,
            "low": low,
            "high": high,
        },
        scratch_bytes=((strip - 1) * stride + 3) * _ROW_BYTES,
        overlaps=() if stride == 1 or tile < out_w else (Overlap(input=0, distance=int(np.max(written - lowest))),),
        in_place=stride == 1 and slide.input == slide.output and tile == out_w,
    )


def _is_taken(portable: Layer, slide: Window) -> bool:
    stride, across = slide.stride
    return (
        integer(portable, "multiplier") == 1
        and (slide.kernel, slide.dilation, slide.batches) == ((3, 3), (1, 1), 1)
        and stride == across
        and stride in _MOST_ROWS
    )


def _tile(out_w: int, stride: int) -> int:
    """Columns of output at once: the four columns that the last output or pair of outputs reads lie in scratch."""
    most = (_COLUMNS - 2) // stride
    even = -(-out_w // (2 * -(-out_w // most))) * 2
    return min(out_w, even)


def _product(portable: Layer) -> Dense:
    """Weights as [outputs, kernel height * kernel width], the input's zero point in the bias."""
    stored = array(portable, "weights")
    weights = stored.reshape(-1, stored.shape[-1]).T
    shift = integer(portable, "in_zero_point") * weights.astype(np.int32).sum(axis=1)
    return Dense(
        weights=weights,
        bias=array(portable, "bias") - shift.astype(np.int32),
        multipliers=array(portable, "multipliers"),
        shifts=array(portable, "shifts"),
        zero_point=integer(portable, "zero_point"),
    )


def _packed(product: Dense) -> NDArray[np.int32] | None:
    """[channels][7] words: three rows of the kernel (k0, k1, k1, k2), half, e, bias, multiplier; None: not proven.

    The kernel sums up negated products (SMMLSR takes them away), so that the carry of 2 * sum is the sum's sign.
    """
    proven = prove(product)
    if proven is None or proven.weights.min() == -128:
        return None
    rows = -proven.weights.reshape(-1, 3, 3)
    quads = np.ascontiguousarray(rows[:, :, [0, 1, 1, 2]].astype(np.int8).reshape(-1, 12)).view("<i4")
    multiplier, half, exponent = proven.scales.T
    is_signed = product.zero_point != RECTIFIED
    bias = -proven.bias - (proven.is_step & is_signed)  # the signed kernel's step stands at sums above 0, not from 0 on
    rest = np.stack([half, exponent, bias, multiplier], axis=1)
    return np.concatenate([quads, rest.astype(np.int32)], axis=1).astype(np.int32)
