"""Inspect: what a model is, and on which targets it fits, without running it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.errors import UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.factory import Factory
from edgekit.core.target import Target
from edgekit.flows.chain import float_pass
from edgekit.flows.fit import fit
from edgekit.flows.formats import RUNNERS, facts_of
from edgekit.flows.loading import load_model
from edgekit.flows.workspace import Workspace, workspace
from edgekit.passes._base import PassContext


def inspect_model(
    model: Path | Factory,
    targets: Sequence[Target],
    *,
    input_shape: tuple[int, ...] | None = None,
    on_event: OnEvent = ignore,
) -> dict[str, Any]:
    """Facts of a model as the document that `edgekit inspect --json` prints.

    A model of a framework is converted to a float .tflite for its operators and multiply-accumulates, so the verdicts
    speak of that artifact.

    Args:
        model: file or folder, or the function that builds a PyTorch module.
        targets: for each a verdict with all reasons.
        input_shape: sizes of the only input, the batch first, where the model does not tell them.
        on_event: listener.

    Raises:
        InputError, VerificationError, UnsupportedError: as for `compile_model`.
    """
    with workspace(on_event) as tools:
        source, warnings = load_model(model, tools, input_shape=input_shape)
        artifact = source if source.format in RUNNERS else _converted(source, targets[0], tools)
        facts = facts_of(artifact, tools.isolate)
    verdicts = {
        target.name: fit(facts, artifact_format=artifact.format, size_bytes=artifact.size_bytes, target=target)
        for target in targets
    }
    return {
        "schema": "edgekit.inspect/1",
        "path": str(model),
        "format": source.format,
        "sha256": source.digest,
        "size_bytes": source.size_bytes,
        "zip_bytes": source.zip_bytes,
        "parameters": facts["parameters"],
        "macs": facts["macs"],
        "ops": facts["ops"],
        "dtypes": facts["dtypes"],
        "activation_bytes": facts["activation_bytes"],
        "inputs": [spec.as_json() for spec in artifact.inputs],
        "outputs": [spec.as_json() for spec in artifact.outputs],
        "judged_as": {"format": artifact.format, "size_bytes": artifact.size_bytes, "made_by": artifact.made_by},
        "targets": {name: {"ok": verdict.ok, "reasons": list(verdict.reasons)} for name, verdict in verdicts.items()},
        "warnings": list(warnings),
    }


def _converted(source: Artifact, target: Target, tools: Workspace) -> Artifact:
    converter = float_pass(source.format)
    if converter is None:
        raise UnsupportedError(
            f"no pass turns {source.format} into something that runs", hint="write one: docs/guide/add-to-passes.md"
        )
    tools.tell("convert", f"converting to .{converter.emits}, to see its operators")
    context = PassContext(
        isolate=tools.isolate,
        cache=tools.cache,
        work=tools.work,
        target=target,
        representative=None,
        timeout_s=1800.0,
        user_isolate=tools.user_isolate,
    )
    artifact: Artifact
    artifact, _ = converter.run(source, {}, context)
    return artifact
