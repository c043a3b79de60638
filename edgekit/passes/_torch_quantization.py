"""What the passes share that quantize PyTorch models for PyTorch's own runtimes: parameters, engines, the way there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

from edgekit.core.artifact import Artifact
from edgekit.core.target import Target
from edgekit.passes._base import Pass, PassContext
from edgekit.passes._torch_pass import TorchPass, TorchTrainingPass
from edgekit.passes._training import TrainingParams

ParamsT = TypeVar("ParamsT")
TrainingParamsT = TypeVar("TrainingParamsT", bound=TrainingParams)

_SERVERS = frozenset({"x86_64", "any"})


@dataclass(frozen=True, kw_only=True)
class StaticParams:
    """Parameters of static quantization.

    Attributes:
        per_channel: weights get one scale for each output channel instead of one for the whole tensor.
        observer: how the range of an activation is found: "min_max" (all that was seen), "moving_average" (of each
            batch's extremes, 0.99 of the past), or "histogram" (the range with the least squared error).
        mode: "fx" follows the model with torch.fx and quantizes what is between the layers too; "eager" replaces the
            layers and fuses those that follow each other; "auto" takes "fx" where it can.
        keep_float: layers that stay float32: regular expressions, searched in their dotted names
            ("features.0"), or classes ("Linear").
        torchscript: the file holds what `torch.jit.load` reads too, see `edgekit.passes.ptl`.
    """

    per_channel: bool = True
    observer: Literal["histogram", "min_max", "moving_average"] = "histogram"
    mode: Literal["auto", "fx", "eager"] = "auto"
    keep_float: tuple[str, ...] = ()
    torchscript: bool = False


@dataclass(frozen=True, kw_only=True)
class DynamicParams:
    """Parameters of dynamic quantization.

    Attributes:
        per_channel: weights of linear layers get one scale for each output; recurrent layers have one for a tensor.
        keep_float: layers that stay float32: regular expressions, searched in their dotted names, or classes.
        torchscript: the file holds what `torch.jit.load` reads too, see `edgekit.passes.ptl`.
    """

    per_channel: bool = True
    keep_float: tuple[str, ...] = ()
    torchscript: bool = False


@dataclass(frozen=True, kw_only=True)
class QatParams(TrainingParams):
    """Parameters of quantization-aware training.

    Attributes:
        learning_rate: lower than for a new model, as only rounding is to be learned; it falls to 0 along half a cosine.
        per_channel: weights get one scale for each output channel instead of one for the whole tensor.
        keep_float: layers that stay float32: regular expressions, searched in their dotted names, or classes.
        torchscript: the file holds what `torch.jit.load` reads too, see `edgekit.passes.ptl`.
    """

    learning_rate: float = 1e-4
    per_channel: bool = True
    keep_float: tuple[str, ...] = ()
    torchscript: bool = False


class LitePass(TorchPass[ParamsT]):
    """A pass that writes a quantized .ptl; its parameters may have the field `engine`, else it is QNNPACK."""

    emits = "ptl"
    version = "1"
    dtype = "int8"

    def _extra(self, _artifact: Artifact, params: ParamsT, _context: PassContext) -> dict[str, Any]:
        return {"pass_name": self.name, "engine": engine_of(params)}

    def unsupported_params(self, target: Target, params: ParamsT) -> str | None:
        """The engine's instructions besides."""
        return self.unsupported(target) or wrong_processor(target, params)


class LiteTrainingPass(TorchTrainingPass[TrainingParamsT]):
    """A pass that trains and writes a quantized .ptl."""

    emits = "ptl"
    version = "2"
    dtype = "int8"
    function: ClassVar[str] = "edgekit.passes._torch.quantizing:train"

    def unsupported(self, target: Target) -> str | None:
        """As for every pass whose result runs on a device."""
        return Pass.unsupported(self, target)

    def unsupported_params(self, target: Target, params: TrainingParamsT) -> str | None:
        """The engine's instructions besides."""
        return self.unsupported(target) or wrong_processor(target, params)

    def _extra(self, _artifact: Artifact, params: TrainingParamsT, _context: PassContext) -> dict[str, Any]:
        return {"pass_name": self.name, "engine": engine_of(params)}


def engine_of(params: Any) -> str:
    """The engine that packs the weights."""
    return str(getattr(params, "engine", "qnnpack"))


def wrong_processor(target: Target, params: Any) -> str | None:
    """Why a target's processor cannot run an engine's kernels, or None; QNNPACK has kernels for all."""
    name = engine_of(params)
    if name == "qnnpack" or target.arch in _SERVERS:
        return None
    return f"the engine {name} is for x86-64, {target.name} is {target.arch}"
