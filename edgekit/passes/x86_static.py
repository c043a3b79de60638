"""Quantize a PyTorch model's weights and activations for x86 servers, with ranges from a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.passes._torch_quantization import LitePass, StaticParams


@dataclass(frozen=True, kw_only=True)
class X86StaticParams(StaticParams):
    """Parameters of `x86_static`.

    Attributes:
        engine: "x86" chooses between fbgemm's and oneDNN's kernels, "fbgemm" takes its own.
    """

    engine: Literal["x86", "fbgemm"] = "x86"


class X86Static(LitePass[X86StaticParams]):
    """The pass `x86_static`."""

    name = "x86_static"
    params_type = X86StaticParams
    needs_representative = True
    function = "edgekit.passes._torch.quantizing:static"


PASS = X86Static()
