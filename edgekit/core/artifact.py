"""A model file with everything that later stages need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: the tensor's name in the file.
        shape: sizes of its axes; -1 for an axis that is not fixed.
        dtype: NumPy's name, e.g. "float32" or "int8".
        scale: real value of one quantization step, None for a float tensor.
        zero_point: the quantized value that stands for 0.0, None for a float tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The spec as a JSON object."""
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TensorSpec:
        """The inverse of `as_json`."""
        return cls(**{**value, "shape": tuple(value["shape"])})


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A model in one format, named by its content.

    Attributes:
        format: "keras", "tf_keras", "saved_model", "torch", "torch_export", "torchscript", "tflite",
            "ptl" or "pte".
        path: the file, or the folder for a SavedModel.
        digest: SHA-256 of the content, 64 hex digits.
        size_bytes: bytes on disk.
        zip_bytes: bytes after deflate at level 9, what the file adds to a zip archive without the headers.
        inputs, outputs: the model's signature; empty while nobody has looked.
        parent: digest of the artifact that it was made from, None for the user's own file.
        made_by: name of the pass or source that made it.
        facts: as `edgekit.flows._child.facts`, where only the framework that made the file could tell them; None for a
            format that is read when they are asked for.
    """

    format: str
    path: Path
    digest: str
    size_bytes: int
    zip_bytes: int
    made_by: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    parent: str | None = None
    facts: Mapping[str, Any] | None = None
