"""Convert a PyTorch model to a float32 .ptl for the lite interpreter: the reference of compressed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgekit.passes._torch_pass import TorchPass


@dataclass(frozen=True, kw_only=True)
class PtlParams:
    """Parameters of the conversion.

    Attributes:
        torchscript: the file holds the code and the constants too that `torch.jit.load` reads, for servers; packed
            integer weights then stand in it twice.
    """

    torchscript: bool = False


class Ptl(TorchPass[PtlParams]):
    """The pass `ptl`."""

    name = "ptl"
    accepts: ClassVar[frozenset[str]] = frozenset({"torch", "torch_export"})
    emits = "ptl"
    version = "1"
    params_type = PtlParams
    function = "edgekit.passes._torch.quantizing:keep"


PASS = Ptl()
