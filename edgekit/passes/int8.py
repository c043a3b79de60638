"""Quantize weights and activations to int8, per channel, with ranges from a representative dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.passes._conversion import Conversion


@dataclass(frozen=True, kw_only=True)
class Int8Params:
    """Parameters of `int8`.

    Attributes:
        io: dtype of the model's inputs and outputs.
    """

    io: Literal["int8", "uint8", "float32"] = "int8"


class Int8(Conversion[Int8Params]):
    """The pass `int8`."""

    name = "int8"
    version = "1"
    params_type = Int8Params
    mode = "int8"
    needs_representative = True
    dtype = "int8"


PASS = Int8()
