"""Convert a PyTorch model to a float32 .tflite, for every runtime and every pass that reads those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgekit.core.artifact import Artifact
from edgekit.passes._torch_pass import TorchPass


@dataclass(frozen=True, kw_only=True)
class LitertTorchParams:
    """Parameters.

    Attributes:
        channel_last: images go in as height x width x channels, which saves the .tflite a TRANSPOSE of each input; the
            data stays as the PyTorch model takes it and is turned on its way.
    """

    channel_last: bool = False


class LitertTorchPass(TorchPass[LitertTorchParams]):
    """By litert-torch: torch.export, then a batch of one sample."""

    name = "litert_torch"
    accepts: ClassVar[frozenset[str]] = frozenset({"torch", "torch_export"})
    emits = "tflite"
    version = "1"
    params_type = LitertTorchParams
    is_front_end = True
    function = "edgekit.passes._torch.litert:convert"

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """PyTorch and the converter."""
        return ("torch", "litert-torch", "litert-converter")


PASS = LitertTorchPass()
