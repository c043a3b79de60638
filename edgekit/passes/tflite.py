"""Convert to a float32 .tflite with a batch of 1: the reference that compressed models are compared with."""

from __future__ import annotations

from edgekit.passes._conversion import Conversion, NoParams


class ToFloat32(Conversion[NoParams]):
    """The pass `tflite`."""

    name = "tflite"
    version = "1"
    params_type = NoParams
    mode = "float32"
    dtype = "float32"


PASS = ToFloat32()
