"""Store weights as int8 or int4, compute in integers on the fly (dynamic range): no data, a quarter of the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgekit.core.target import Target
from edgekit.passes._quantization import Quantization, without_int4


@dataclass(frozen=True, kw_only=True)
class DynamicParams:
    """Parameters of `dynamic`.

    Attributes:
        bits: of the weights; 4 holds for convolutions and dense layers, depthwise ones stay float32.
        granularity: what shares one scale: an output "channel", the whole "tensor", or with 4 bits a "block" of
            `block_size` weights of one output of a dense layer (others stay by channel). Blocks need XNNPACK: LiteRT's
            own kernels read them wrongly (2.3.0, measured).
        block_size: weights of one block.
        keep_float: layers that stay float32: regular expressions, searched in the names of their outputs in the float
            .tflite, or operators ("FULLY_CONNECTED").
        keep_float16: layers whose weights are stored as float16.
    """

    io: ClassVar[str] = "float32"
    bits: Literal[8, 4] = 8
    granularity: Literal["channel", "tensor", "block"] = "channel"
    block_size: Literal[32, 64, 128, 256] = 32
    keep_float: tuple[str, ...] = ()
    keep_float16: tuple[str, ...] = ()


class Dynamic(Quantization[DynamicParams]):
    """The pass `dynamic`."""

    name = "dynamic"
    version = "1"
    params_type = DynamicParams
    mode = "dynamic"
    dtype = "int8"

    def unsupported_params(self, target: Target, params: DynamicParams) -> str | None:
        """int4 kernels, and XNNPACK for blocks."""
        return without_int4(self, target, bits=params.bits, blocks=params.granularity == "block")


PASS = Dynamic()
