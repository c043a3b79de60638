"""Random layers with int16 activations and int8 weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.unit.mcu.random_convolutions import conv_2d, depthwise_conv_2d
from tests.unit.mcu.random_fully_connected import fully_connected
from tests.unit.mcu.random_resize import transpose_conv
from tests.unit.mcu.random_windows import mean, pad, pool

GENERATORS: dict[str, Callable[[np.random.Generator], bytes]] = {
    "conv_2d_s16": partial(conv_2d, dtype="int16"),
    "depthwise_conv_2d_s16": partial(depthwise_conv_2d, dtype="int16"),
    "fully_connected_s16": partial(fully_connected, dtype="int16"),
    "transpose_conv_s16": partial(transpose_conv, dtype="int16"),
    "average_pool_2d_s16": partial(pool, op="AVERAGE_POOL_2D", dtype="int16"),
    "max_pool_2d_s16": partial(pool, op="MAX_POOL_2D", dtype="int16"),
    "mean_s16": partial(mean, op="MEAN", dtype="int16"),
    "pad_s16": partial(pad, dtype="int16"),
}
