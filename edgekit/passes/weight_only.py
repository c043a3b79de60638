"""Store weights as int8 or int4 and compute in float: needs no data, keeps activations exact, gains no speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgekit.core.target import Target
from edgekit.passes._quantization import Quantization, without_int4


@dataclass(frozen=True, kw_only=True)
class WeightOnlyParams:
    """Parameters of `weight_only`.

    Attributes:
        bits: of the weights; 4 holds for convolutions and dense layers, depthwise ones stay float32.
        granularity: what shares one scale: an output "channel" or the whole "tensor". There are no blocks here:
            LiteRT 2.3.0 crashes when it dequantizes them; the pass `dynamic` has them.
        keep_float: layers that stay float32: regular expressions, searched in the names of their outputs in the float
            .tflite, or operators ("FULLY_CONNECTED").
        keep_float16: layers whose weights are stored as float16.
    """

    io: ClassVar[str] = "float32"
    bits: Literal[8, 4] = 8
    granularity: Literal["channel", "tensor"] = "channel"
    keep_float: tuple[str, ...] = ()
    keep_float16: tuple[str, ...] = ()


class WeightOnly(Quantization[WeightOnlyParams]):
    """The pass `weight_only`."""

    name = "weight_only"
    version = "1"
    params_type = WeightOnlyParams
    mode = "weight_only"
    dtype = "int8"
    always_quantizer = True

    def unsupported_params(self, target: Target, params: WeightOnlyParams) -> str | None:
        """int4 kernels."""
        return without_int4(self, target, bits=params.bits, blocks=False)


PASS = WeightOnly()
