"""What the passes that read PyTorch models share: which child process works, and the way there and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from edgekit.core.artifact import Artifact
from edgekit.core.isolation import Isolate
from edgekit.passes._base import Pass, PassContext, PassResult
from edgekit.passes._training import TrainingParams, TrainingPass, save_arrays

ParamsT = TypeVar("ParamsT")
TrainingParamsT = TypeVar("TrainingParamsT", bound=TrainingParams)


class TorchPass(Pass[ParamsT]):
    """A pass whose work PyTorch does in a child process.

    Attributes:
        function: what does it there, `module:function`, called with `job`: {"source", "source_format", "output",
            "params", "samples"} and what `_extra` adds; `samples` are .npy files of the representative dataset, one a
            model input, None without one. It returns {"notes", "inputs", "outputs", "facts"}, see `PassResult`.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"torch"})
    function: ClassVar[str]

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """PyTorch."""
        return ("torch",)

    def _extra(self, _artifact: Artifact, _params: ParamsT, _context: PassContext) -> dict[str, Any]:
        """What the job holds besides, JSON."""
        return {}

    def _run(self, artifact: Artifact, params: ParamsT, context: PassContext, output: Path) -> PassResult:
        data = context.representative if self.calibrates(artifact.format) else None
        job = {
            "source": str(artifact.path),
            "source_format": artifact.format,
            "output": str(output),
            "params": dataclasses.asdict(params),  # type: ignore[call-overload]  # it is a dataclass
            "samples": None if data is None else save_arrays(data, context.work),
            **self._extra(artifact, params, context),
        }
        reply: dict[str, Any] = isolate_for(artifact, context).call(
            self.function,
            {"job": job},
            what=f"pass {self.name!r} on {artifact.path.name}",
            timeout_s=context.timeout_s,
            on_event=context.on_event,
        )
        return PassResult(**reply)


class TorchTrainingPass(TrainingPass[TrainingParamsT]):
    """A training pass on a PyTorch model; `function` gets a `TrainingJob` and returns what `PassResult` holds."""

    accepts: ClassVar[frozenset[str]] = frozenset({"torch"})
    emits = "torch"

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """PyTorch."""
        return ("torch",)

    def _isolate(self, artifact: Artifact, _params: TrainingParamsT, context: PassContext) -> Isolate:
        return isolate_for(artifact, context)


def isolate_for(artifact: Artifact, context: PassContext) -> Isolate:
    """The child process: one that may import the user's modules where the model is a factory of theirs."""
    if artifact.format == "torch" and context.user_isolate is not None:
        return context.user_isolate
    return context.isolate
