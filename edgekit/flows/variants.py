"""One model in several forms, side by side: bytes, accuracy on each runtime, agreement, and what falls back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import Artifact
from edgekit.core.errors import UnsupportedError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.recipe import Recipe
from edgekit.flows.accuracy import classifies
from edgekit.flows.documents import accuracy_document
from edgekit.flows.localhost import host_runner
from edgekit.flows.metrics import Meter
from edgekit.flows.prepare import Preparation
from edgekit.flows.request import CompileRequest
from edgekit.flows.trials import run_steps, settled
from edgekit.flows.workspace import workspace

FLOAT = "float"


@dataclass(frozen=True, kw_only=True)
class _Form:
    """One form of the model.

    Attributes:
        name: of the recipe.
        artifact: what came out.
        outputs: real values of its first output on the evaluation set, shape [samples, ...].
        notes: of its steps.
    """

    name: str
    artifact: Artifact
    outputs: NDArray[np.float32]
    notes: tuple[str, ...]


def compare_recipes(
    request: CompileRequest, recipes: Sequence[Recipe], *, on_event: OnEvent = ignore
) -> dict[str, Any]:
    """Make every form of a model, and run each on this computer over the same samples.

    Args:
        request: model, target and data, as for a compilation; its recipe is not used.
        recipes: one a form.
        on_event: listener.

    Returns:
        The document of `edgekit variants --json`: `forms` [{recipe, format, runtime, size_bytes, zip_bytes, accuracy,
        max_abs_difference (from the float reference), portable_ops, notes, reason}], where `reason` says why a form
        could not be made, and `agreement` {recipe: {recipe: share of samples with the same class}}.

    Raises:
        UsageError: no evaluation data, or no recipe.
        EdgekitError: the model or the data cannot be used at all.
    """
    if request.evaluation is None or not recipes:
        raise UsageError("variants needs --eval-data and one --recipe at least", hint="repeat --recipe for each form")
    forms: list[_Form] = []
    rows: list[dict[str, Any]] = []
    with workspace(on_event) as tools:
        for recipe in recipes:
            try:
                made = Preparation(replace(request, recipe=recipe), tools)
                meter = made.meter()
                if not forms and made.reference is not None:
                    forms.append(_form(FLOAT, made.reference, meter, ()))
                    rows.append(_row(forms[-1], forms[0], meter, request))
                artifacts, records = run_steps(made.source, settled(made.recipe), made.context)
            except UnsupportedError as refusal:
                rows.append(_refused(recipe.name, refusal))
                continue
            notes = tuple(note for record in records for note in record.notes)
            forms.append(_form(recipe.name, artifacts[-1], meter, notes))
            rows.append(_row(forms[-1], forms[0], meter, request))
    return _document(request, rows, forms)


def _document(request: CompileRequest, rows: list[dict[str, Any]], forms: list[_Form]) -> dict[str, Any]:
    assert request.evaluation is not None
    return {
        "schema": "edgekit.variants/1",
        "model": str(request.model),
        "target": request.target.name,
        "data": request.evaluation.name,
        "samples": len(request.evaluation),
        "forms": rows,
        "agreement": {one.name: {other.name: _agreement(one, other) for other in forms} for one in forms},
    }


def _form(name: str, artifact: Artifact, meter: Meter, notes: tuple[str, ...]) -> _Form:
    outputs = meter.outputs(artifact)
    assert outputs is not None  # there is evaluation data
    return _Form(name=name, artifact=artifact, outputs=outputs, notes=notes)


def _row(form: _Form, first: _Form, meter: Meter, request: CompileRequest) -> dict[str, Any]:
    artifact = form.artifact
    runtime = request.target.runtime_for(artifact.format)
    partition = (artifact.facts or {}).get("partition")
    return {
        "recipe": form.name,
        "format": artifact.format,
        "runtime": None if runtime is None else host_runner(runtime.name),
        "size_bytes": artifact.size_bytes,
        "zip_bytes": artifact.zip_bytes,
        "accuracy": accuracy_document(meter.accuracy(artifact)),
        "max_abs_difference": _difference(form, first),
        "portable_ops": None if partition is None else partition["portable"],
        "notes": list(form.notes),
        "reason": None,
    }


def _refused(name: str, refusal: UnsupportedError) -> dict[str, Any]:
    unknown = dict.fromkeys(
        ("format", "runtime", "size_bytes", "zip_bytes", "accuracy", "max_abs_difference", "portable_ops")
    )
    return {"recipe": name, **unknown, "notes": [], "reason": refusal.message}


def _difference(form: _Form, first: _Form) -> float | None:
    if form.outputs.shape != first.outputs.shape:
        return None
    return float(np.abs(form.outputs - first.outputs).max(initial=0.0))


def _agreement(one: _Form, other: _Form) -> float | None:
    """Share of samples with the same class, 0 to 1; None for models that do not classify."""
    if not (classifies(one.artifact.outputs) and classifies(other.artifact.outputs)):
        return None
    ours, theirs = (each.outputs.reshape(len(each.outputs), -1).argmax(axis=1) for each in (one, other))
    return float((ours == theirs).mean())
