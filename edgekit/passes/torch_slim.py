"""Remove whole channels of a PyTorch model, so that parameters and multiply-accumulates shrink, then fine-tune."""

from __future__ import annotations

from edgekit.core.artifact import Artifact
from edgekit.passes._slimming import Slimming, SlimParams
from edgekit.passes._torch_pass import TorchTrainingPass


class TorchSlim(Slimming, TorchTrainingPass[SlimParams]):
    """The pass `torch_slim`, with the parameters of `slim`."""

    name = "torch_slim"
    accepts = TorchTrainingPass.accepts
    emits = TorchTrainingPass.emits
    version = "1"
    function = "edgekit.passes._torch.slimming:slim"

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """PyTorch, and the library that knows which channels go together."""
        return ("torch", "torch-pruning")


PASS = TorchSlim()
