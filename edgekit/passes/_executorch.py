"""What the passes to ExecuTorch share on the host's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from edgekit.core.artifact import Artifact
from edgekit.passes._torch_pass import TorchPass

ParamsT = TypeVar("ParamsT")
DISTRIBUTIONS = ("torch", "torchao", "executorch")


@dataclass(frozen=True, kw_only=True)
class FloatParams:
    """Parameters of a conversion without quantization: none."""


@dataclass(frozen=True, kw_only=True)
class XnnpackParams:
    """Parameters of quantization for XNNPACK: symmetric int8 weights, asymmetric int8 activations.

    Attributes:
        per_channel: one scale for each output channel of a weight, not one for the whole tensor.
        keep_float: modules that stay in float32: regular expressions, searched in their names.
    """

    per_channel: bool = True
    keep_float: tuple[str, ...] = ()


class ExecutorchPass(TorchPass[ParamsT]):
    """A pass that ends in an ExecuTorch program, as much of it as possible computed by XNNPACK.

    Attributes:
        mode: "float", "static" or "dynamic".
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"torch", "torch_export"})
    emits = "pte"
    function = "edgekit.passes._torch.executorch:convert"
    mode: ClassVar[str]

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """PyTorch, its quantizer and ExecuTorch."""
        return DISTRIBUTIONS

    def _extra(self, *_context: object) -> dict[str, str]:
        return {"mode": self.mode}
