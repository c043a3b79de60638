"""Train a PyTorch model with quantization in the loop, and convert it to int8 for ExecuTorch and XNNPACK (PT2E)."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.artifact import Artifact
from edgekit.core.target import Target
from edgekit.passes._base import Pass
from edgekit.passes._executorch import DISTRIBUTIONS
from edgekit.passes._torch_pass import TorchTrainingPass
from edgekit.passes._training import TrainingParams


@dataclass(frozen=True, kw_only=True)
class ExecutorchXnnpackQatParams(TrainingParams):
    """Parameters, besides those of training, as `edgekit.passes._executorch.XnnpackParams`.

    Attributes:
        per_channel: one scale for each output channel of a weight, not one for the whole tensor.
        keep_float: modules that stay in float32: regular expressions, searched in their names.
    """

    learning_rate: float = 1e-4
    per_channel: bool = True
    keep_float: tuple[str, ...] = ()


class ExecutorchXnnpackQat(TorchTrainingPass[ExecutorchXnnpackQatParams]):
    """The pass `executorch_xnnpack_qat`."""

    name = "executorch_xnnpack_qat"
    emits = "pte"
    version = "2"
    params_type = ExecutorchXnnpackQatParams
    dtype = "int8"
    function = "edgekit.passes._torch.executorch:train"

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """PyTorch, its quantizer and ExecuTorch."""
        return DISTRIBUTIONS

    def unsupported(self, target: Target) -> str | None:
        """It ends in what a device runs, so the target is asked."""
        return Pass.unsupported(self, target)


PASS = ExecutorchXnnpackQat()
