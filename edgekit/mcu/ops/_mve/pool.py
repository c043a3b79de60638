"""AVERAGE_POOL_2D and MAX_POOL_2D with the vector extension."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.mcu.layer import Layer, Overlap
from edgekit.mcu.ops._overlap import Window, distance

_LANES = {"average_pool_s8": 4, "max_pool_s8": 16}


def pool(portable: Layer, slide: Window) -> Layer | None:
    """The layer of a portable pooling kernel in vectors, some channels at a time; None for other types than int8."""
    lanes = _LANES.get(portable.kernel)
    if lanes is None:
        return None
    channels = portable.inputs[0].shape[-1]
    starts = np.arange(0, channels, lanes)
    lowest = slide.lowest_bytes(channels, starts)
    pixels = np.arange(len(lowest) // len(starts))[:, None]
    written = (pixels * channels + np.minimum(starts + lanes, channels)).ravel()
    overlap = Overlap(input=0, distance=distance(written, lowest))
    return replace(portable, kernel=f"{portable.kernel}_mve", overlaps=(overlap,))
