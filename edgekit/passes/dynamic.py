"""Store weights as int8 and compute in float (dynamic range): needs no data, a quarter of the bytes."""

from __future__ import annotations

from edgekit.passes._conversion import Conversion, NoParams


class Dynamic(Conversion[NoParams]):
    """The pass `dynamic`."""

    name = "dynamic"
    version = "1"
    params_type = NoParams
    mode = "dynamic"
    dtype = "int8"


PASS = Dynamic()
