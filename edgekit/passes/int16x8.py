"""Quantize activations to int16 and weights to int8: near float accuracy where int8 activations are too coarse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.passes._conversion import Conversion


@dataclass(frozen=True, kw_only=True)
class Int16x8Params:
    """Parameters of `int16x8`.

    Attributes:
        io: dtype of the model's inputs and outputs.
    """

    io: Literal["int16", "float32"] = "int16"


class Int16x8(Conversion[Int16x8Params]):
    """The pass `int16x8`."""

    name = "int16x8"
    version = "1"
    params_type = Int16x8Params
    mode = "int16x8"
    needs_representative = True
    dtype = "int16"


PASS = Int16x8()
