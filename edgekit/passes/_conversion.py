"""What the conversion passes share: model and representative dataset go to the child process that converts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np

from edgekit.core.artifact import Artifact
from edgekit.passes._base import Pass, PassContext

if TYPE_CHECKING:
    from edgekit.core.dataset import Dataset

_FRAMEWORK_FORMATS = frozenset({"keras", "saved_model", "tf_keras"})


@dataclass(frozen=True, kw_only=True)
class NoParams:
    """Parameters of a pass that takes none; its model keeps float inputs and outputs."""

    io: ClassVar[str] = "float32"


class HasIO(Protocol):
    """Parameters that say the dtype of the model's inputs and outputs."""

    @property
    def io(self) -> str:
        """NumPy's name of the dtype."""
        ...


ParamsT = TypeVar("ParamsT", bound=HasIO)


class Conversion(Pass[ParamsT]):
    """A pass that writes .tflite: TensorFlow converts its own formats, the LiteRT quantizer a float .tflite.

    Attributes:
        mode: "float32", "dynamic", "float16", "int8" or "int16x8".
    """

    accepts: ClassVar[frozenset[str]] = _FRAMEWORK_FORMATS | {"tflite"}
    emits = "tflite"
    mode: ClassVar[str]

    def tools(self, artifact: Artifact) -> tuple[str, ...]:
        """TensorFlow or the LiteRT quantizer."""
        if artifact.format == "tf_keras":
            return ("tensorflow", "tf-keras")
        if artifact.format in _FRAMEWORK_FORMATS:
            return ("tensorflow", "keras")
        return ("litert-quantizer", "ai-edge-litert")

    def _run(self, artifact: Artifact, params: ParamsT, context: PassContext, output: Path) -> Sequence[str] | None:
        framework = artifact.format in _FRAMEWORK_FORMATS
        module = "edgekit.passes._tensorflow" if framework else "edgekit.passes._quantizer"
        job: dict[str, Any] = {
            "source": str(artifact.path),
            "output": str(output),
            "mode": self.mode,
            "io": params.io,
            "representative": _save(context.representative, context.work) if self.needs_representative else [],
        }
        if framework:
            job["source_format"] = artifact.format
            job["input_shape"] = None if context.input_shape is None else list(context.input_shape)
        what = f"converting {artifact.path.name} to {self.mode}"
        context.isolate.call(f"{module}:convert", job, what=what, timeout_s=context.timeout_s)
        return None


def _save(dataset: Dataset | None, work: Path) -> list[str]:
    """The representative samples as .npy files, one a model input, shape [samples, ...]."""
    if dataset is None:
        return []
    paths = []
    for index, array in enumerate(dataset.inputs):
        path = work / f"representative-{dataset.digest[:12]}-{index}.npy"
        if not path.exists():
            np.save(path, array, allow_pickle=False)
        paths.append(str(path))
    return paths
