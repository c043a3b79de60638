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
from edgekit.flows.chain import float_pass, front_ends
from edgekit.flows.fit import Fit, fit
from edgekit.flows.formats import RUNNERS, facts_of
from edgekit.flows.loading import load_model
from edgekit.flows.workspace import Workspace, workspace
from edgekit.passes._base import Pass, PassContext


def inspect_model(
    model: Path | Factory,
    targets: Sequence[Target],
    *,
    input_shape: tuple[int, ...] | None = None,
    on_event: OnEvent = ignore,
) -> dict[str, Any]:
    """Facts of a model as the document that `edgekit inspect --json` prints.

    A model of a framework is converted to a float artifact for its operators and multiply-accumulates, so the verdicts
    speak of that artifact; where a target does not run it, of the one that a front end makes, if the target runs that.

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
        forms = _Forms(source, targets[0], tools)
        artifact = forms.first
        facts = facts_of(artifact, tools.isolate)
        verdicts = {target.name: _verdict(target, forms, tools) for target in targets}
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


class _Forms:
    """The float artifacts that a model is judged as, each made when a target first asks for it."""

    def __init__(self, source: Artifact, target: Target, tools: Workspace) -> None:
        self._source, self._target, self._tools = source, target, tools
        self._made: dict[str, Artifact] = {}
        self._plans: dict[str, dict[str, Any]] = {}
        converter = float_pass(source.format)
        is_told = converter is None and source.facts is not None
        self.first = source if source.format in RUNNERS or is_told else self._converted(converter)

    def for_target(self, target: Target) -> Artifact:
        """What the target runs, else the first form."""
        if target.runtime_for(self.first.format) or target.compiler_for(self.first.format):
            return self.first
        suiting = (each for each in front_ends(self._source.format) if target.runtime_for(each.emits) is not None)
        front_end = next(suiting, None)
        return self.first if front_end is None else self._converted(front_end)

    def plan(self, artifact: Artifact) -> dict[str, Any]:
        """What the microcontroller compiler says of a .tflite that it can take as it is, else nothing."""
        if facts_of(artifact, self._tools.isolate)["has_float_weights"]:
            return {}
        if artifact.digest not in self._plans:
            self._plans[artifact.digest] = self._tools.isolate.call(
                "edgekit.mcu.image:estimate", {"model": str(artifact.path)}, what=f"planning {artifact.path.name}"
            )
        return self._plans[artifact.digest]

    def _converted(self, converter: Pass[Any] | None) -> Artifact:
        if converter is None:
            raise UnsupportedError(
                f"no pass turns {self._source.format} into something that runs",
                hint="write one: docs/guide/add-to-passes.md",
            )
        if converter.name not in self._made:
            tools = self._tools
            tools.tell("convert", f"converting to .{converter.emits}, to see its operators")
            context = PassContext(
                isolate=tools.isolate,
                cache=tools.cache,
                work=tools.work,
                target=self._target,
                representative=None,
                timeout_s=1800.0,
                user_isolate=tools.user_isolate,
            )
            self._made[converter.name], _ = converter.run(self._source, {}, context)
        return self._made[converter.name]


def _verdict(target: Target, forms: _Forms, tools: Workspace) -> Fit:
    try:
        artifact = forms.for_target(target)
    except UnsupportedError as refusal:
        return Fit(target=target.name, ok=False, reasons=(str(refusal),))
    facts = facts_of(artifact, tools.isolate)
    if target.compiler_for(artifact.format) is not None:
        facts |= forms.plan(artifact)
    return fit(facts, artifact_format=artifact.format, size_bytes=artifact.size_bytes, target=target)
