"""Convert a PyTorch model whose weights share few values to a .ptl that holds codebooks and packed positions."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.passes._torch_pass import TorchPass


@dataclass(frozen=True, kw_only=True)
class PtlSharedParams:
    """It has no parameters."""


class PtlShared(TorchPass[PtlSharedParams]):
    """The pass `ptl_shared`.

    The file decodes its weights with operators of the lite interpreter at its first inference and keeps them, so it
    runs wherever a .ptl does; in memory the weights take as much as those of `ptl`.
    """

    name = "ptl_shared"
    emits = "ptl"
    version = "1"
    params_type = PtlSharedParams
    function = "edgekit.passes._torch.shared_lite:convert"


PASS = PtlShared()
