"""Quantize the weights of a PyTorch model's linear and recurrent layers for x86 servers; needs no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.passes._torch_quantization import DynamicParams, LitePass


@dataclass(frozen=True, kw_only=True)
class X86DynamicParams(DynamicParams):
    """Parameters of `x86_dynamic`.

    Attributes:
        engine: "x86" chooses between fbgemm's and oneDNN's kernels, "fbgemm" takes its own.
    """

    engine: Literal["x86", "fbgemm"] = "x86"


class X86Dynamic(LitePass[X86DynamicParams]):
    """The pass `x86_dynamic`."""

    name = "x86_dynamic"
    params_type = X86DynamicParams
    function = "edgekit.passes._torch.quantizing:dynamic"


PASS = X86Dynamic()
