"""What the quantizing passes share: TensorFlow quantizes, or litert-quantizer where people choose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError
from edgekit.core.target import Target
from edgekit.passes._base import PassContext
from edgekit.passes._conversion import Conversion, HasIO
from edgekit.passes._training import save_arrays

ParamsT = TypeVar("ParamsT", bound=HasIO)

Method = Literal["min_max", "moving_average", "percentile", "mse", "kl", "symmetric_kl", "js"]
_FRAMEWORK_TOOLS = ("tensorflow", "keras", "tf-keras")
_QUANTIZER_TOOLS = ("litert-quantizer", "ai-edge-litert")


class Quantization(Conversion[ParamsT]):
    """A conversion whose parameters beyond `io` are fields of `edgekit.passes._quantizer_recipe.Choices`.

    With all of them at their defaults TensorFlow converts its own formats. With any other choice the model becomes a
    float .tflite first, which litert-quantizer then compresses.

    Attributes:
        always_quantizer: TensorFlow has no such mode, so that the quantizer does it for every format.
    """

    always_quantizer: ClassVar[bool] = False

    def tools(self, artifact: Artifact) -> tuple[str, ...]:
        """All that may take part."""
        return _QUANTIZER_TOOLS if artifact.format == "tflite" else (*_FRAMEWORK_TOOLS, *_QUANTIZER_TOOLS)

    def parse(self, params: Any) -> ParamsT:
        """As every pass does, then the limits of the numbers; an empty list is the default, as an empty tuple is."""
        parsed = super().parse(
            {name: tuple(value) if isinstance(value, list) else value for name, value in params.items()}
        )
        _check(self.name, parsed)
        return parsed

    def _run(self, artifact: Artifact, params: ParamsT, context: PassContext, output: Path) -> Sequence[str] | None:
        choices = {name: value for name, value in dataclasses.asdict(params).items() if name != "io"}  # type: ignore[call-overload]  # it is a dataclass
        is_default = params == self.params_type(**({"io": params.io} if "io" in _fields(self.params_type) else {}))
        if artifact.format != "tflite" and is_default and not self.always_quantizer:
            return super()._run(artifact, params, context, output)
        source = artifact.path if artifact.format == "tflite" else self._float(artifact, context)
        data = context.representative if self.needs_representative else None
        notes: list[str] = context.isolate.call(
            "edgekit.passes._quantizer:convert",
            {
                "source": str(source),
                "output": str(output),
                "mode": self.mode,
                "io": params.io,
                "representative": [] if data is None else save_arrays(data, context.work),
                "choices": choices,
            },
            what=f"converting {artifact.path.name} to {self.mode}",
            timeout_s=context.timeout_s,
            on_event=context.on_event,
        )
        return notes

    def _float(self, artifact: Artifact, context: PassContext) -> Path:
        """The model as a float .tflite: the pass `tflite`, whose result the reference shares by the cache."""
        from edgekit.core.registry import PASSES

        result: Artifact
        result, _ = PASSES.load("tflite").run(artifact, {}, context)
        return result.path


def _fields(params_type: type) -> set[str]:
    return {field.name for field in dataclasses.fields(params_type)}


def _check(pass_name: str, params: Any) -> None:
    """Refuse impossible numbers; a pass has only some of them."""
    limits: dict[str, tuple[Callable[[Any], bool], str]] = {
        "percentile": (lambda value: 50 < value <= 100, "take a share in percent, above 50, such as 99.99"),
        "granularity": (
            lambda value: value != "block" or params.bits == 4,
            "blocks are for bits = 4: with 8 bits LiteRT has no kernel for them",
        ),
        "bins": (lambda value: 256 <= value <= 65536, "take 256 to 65536 bins"),
    }
    for name, (is_fine, hint) in limits.items():
        if hasattr(params, name) and not is_fine(getattr(params, name)):
            raise ConfigurationError(f"{pass_name}.{name} is {getattr(params, name)!r}", hint=hint)


def without_int4(quantization: Quantization[Any], target: Target, *, bits: int, blocks: bool) -> str | None:
    """Why a target cannot run weights of so many bits, or None."""
    runtime = target.runtime_for(quantization.emits)
    if runtime is None or bits == 8:
        return quantization.unsupported(target)
    if "int4" not in runtime.dtypes:
        return f"{runtime.name} on {target.name} has no int4 kernels"
    if blocks and "xnnpack" not in runtime.delegates:
        return f"{runtime.name} on {target.name} has no XNNPACK, which alone reads weights in blocks"
    return None
