"""CONV_2D and FULLY_CONNECTED with the DSP extension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgekit.mcu.layer import Constant, Layer, Overlap
from edgekit.mcu.ops._dsp.packing import BLOCK, RECTIFIED, Dense, array, integer, pack
from edgekit.mcu.ops._overlap import Window, distance


def conv(portable: Layer, slide: Window) -> Layer:
    """The layer of the portable kernel `conv_s8`, faster where the proofs hold; else as it is."""
    if portable.kernel != "conv_s8" or integer(portable, "group_channels") != integer(portable, "channels"):
        return portable
    return windows(portable, slide, _dense(portable), integer(portable, "padding"), _limits(portable, "dense."))


def windows(portable: Layer, slide: Window, product: Dense, padding: int, limits: tuple[int, int]) -> Layer:
    """A convolution as products of one matrix with windows, or `portable` where a proof fails.

    Args:
        portable: the layer to replace, with its input and output.
        slide: the window.
        product: weights of shape [outputs, kernel height * kernel width * channels], the zero point in the bias.
        padding: the value round the image.
        limits: lowest and highest output value.
    """
    packed = _packed(product, limits)
    if packed is None or slide.dilation != (1, 1):
        return portable
    channels, outputs = portable.inputs[0].shape[-1], len(product.weights)
    depth = -(-product.weights.shape[1] // 4) * 4
    lowest = slide.lowest_bytes(channels, np.zeros(1, np.int64))
    pairs = np.append(lowest, lowest[-1:])[: len(lowest) + len(lowest) % 2].reshape(-1, 2).min(axis=1)
    written = np.minimum(np.arange(1, len(pairs) + 1) * 2, len(lowest)) * outputs
    faster = replace(portable, overlaps=(Overlap(input=0, distance=distance(written, pairs)),))
    if slide.kernel == (1, 1) and slide.stride == (1, 1) and channels % 4 == 0:
        fields = {**packed, "pixels": len(lowest)}
        return replace(faster, kernel="pointwise_s8_dsp", params=fields, scratch_bytes=4 * depth)
    if slide.batches > 1:
        return portable
    return replace(
        faster,
        kernel="conv_s8_dsp",
        params={**packed, **slide.fields(), "channels": channels, "padding": padding},
        scratch_bytes=6 * depth,
    )


def fully_connected(portable: Layer) -> Layer:
    """The layer of the portable kernel `fully_connected_s8`, faster where the proofs hold; else as it is."""
    if portable.kernel != "fully_connected_s8":
        return portable
    product, batches = _dense(portable), integer(portable, "batches")
    outputs, depth = product.weights.shape
    packed = _packed(product, _limits(portable, "dense."))
    if packed is None or depth % 4:
        return portable
    blocks = np.arange(-(-outputs // BLOCK))
    written = (np.arange(batches)[:, None] * outputs + np.minimum((blocks + 1) * BLOCK, outputs)).ravel()
    lowest = np.repeat(np.arange(batches) * depth, len(blocks))
    return replace(
        portable,
        kernel="fully_connected_s8_dsp",
        params={**packed, "batches": batches},
        overlaps=(Overlap(input=0, distance=distance(written, lowest)),),
    )


def _dense(layer: Layer) -> Dense:
    return Dense(
        weights=array(layer, "dense.weights"),
        bias=array(layer, "dense.bias"),
        multipliers=array(layer, "dense.multipliers"),
        shifts=array(layer, "dense.shifts"),
        zero_point=integer(layer, "dense.zero_point"),
    )


def _limits(layer: Layer, prefix: str) -> tuple[int, int]:
    return integer(layer, f"{prefix}low"), integer(layer, f"{prefix}high")


def _packed(product: Dense, limits: tuple[int, int]) -> Mapping[str, int | Constant] | None:
    """The fields of a `struct ek_packed_dsp` with the name `packed`."""
    blocks = pack(product)
    if blocks is None:
        return None
    outputs, depth = product.weights.shape
    return {
        "packed.blocks": Constant(array=blocks),
        "packed.depth": -(-depth // 4) * 4,
        "packed.outputs": outputs,
        "packed.rectified": int(product.zero_point == RECTIFIED),
        "packed.low": limits[0],
        "packed.high": limits[1],
    }
