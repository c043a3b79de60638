"""Artifact formats that a device runs, and what is known of a file of each."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.isolation import Isolate
from edgekit.core.registry import PASSES

RUNNERS: Mapping[str, str] = {"tflite": "litert", "ptl": "torch_mobile", "pte": "executorch", "elf": "cortex_m"}
"""The runner on this computer for each format that can be run."""


EMULATED = frozenset({"elf"})
"""Formats whose runner on this computer is an emulator."""


def facts_of(artifact: Artifact, isolate: Isolate) -> dict[str, Any]:
    """As `edgekit.flows._child.facts`: told by the pass that made the artifact, else read from the file."""
    if artifact.facts is not None:
        return dict(artifact.facts)
    facts: dict[str, Any] = isolate.call(
        "edgekit.flows._child:facts", {"path": str(artifact.path)}, what=f"reading {artifact.path.name}"
    )
    return facts


def is_compressed(artifact: Artifact, isolate: Isolate) -> bool:
    """Whether a model comes ready to run, without float weights that a recipe could make smaller."""
    if artifact.format not in RUNNERS:
        return False
    return not is_read(artifact.format) or not facts_of(artifact, isolate)["has_float_weights"]


def is_read(source_format: str) -> bool:
    """Whether a pass makes something of models of a format."""
    return any(source_format in PASSES.load(name).accepts for name in PASSES.names())


def weighing_of(artifact: Artifact) -> dict[str, Any]:
    """As `edgekit.flows._child.weighing`, for an artifact that brings its facts: nothing of it is parsed."""
    assert artifact.facts is not None
    weights = artifact.facts["weights"]
    return {
        "size_bytes": artifact.size_bytes,
        "zip_bytes": artifact.zip_bytes,
        "gzip_bytes": len(gzip.compress(artifact.path.read_bytes(), compresslevel=9, mtime=0)),
        "sparsity": weights["sparsity"],
        "unique_weights": weights["unique_weights"],
    }
