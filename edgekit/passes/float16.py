"""Store weights as float16: half the bytes, made for GPU delegates."""

from __future__ import annotations

from edgekit.passes._conversion import Conversion, NoParams


class Float16(Conversion[NoParams]):
    """The pass `float16`."""

    name = "float16"
    version = "1"
    params_type = NoParams
    mode = "float16"
    dtype = "float16"


PASS = Float16()
