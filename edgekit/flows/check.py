"""Check: do project, model, data, recipe and target go together; nothing is converted, nothing is written."""

from __future__ import annotations

from typing import Any

from edgekit.config.recipes import load_recipe
from edgekit.core.errors import InputError
from edgekit.core.events import OnEvent, ignore
from edgekit.data import check_against_model
from edgekit.flows.chain import AS_IS, check_chain, needs_data
from edgekit.flows.compile import CompileRequest
from edgekit.flows.workspace import workspace
from edgekit.sources._base import load_source


def check_request(request: CompileRequest, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Check what `compile_model` would need.

    Returns:
        The document that `edgekit check --json` prints: what was checked, and warnings.

    Raises:
        EdgekitError: the first thing that is wrong.
    """
    checked = [f"target {request.target.name}: {request.target.title}"]
    warnings: list[str] = []
    with workspace(on_event) as tools:
        source, found = load_source(request.model, work=tools.work, isolate=tools.isolate)
        warnings += found
        checked.append(f"model {request.model}: {source.format}, {source.size_bytes:,} bytes")
        compressed = (
            source.format == "tflite"
            and not tools.isolate.call(
                "edgekit.flows._child:facts", {"path": str(source.path)}, what=f"reading {request.model}"
            )["has_float_weights"]
        )
    recipe = request.recipe or load_recipe(AS_IS if compressed else request.target.recipe)
    check_chain(recipe, request.target, source.format)
    checked.append(f"recipe {recipe.name}: {recipe.summary}")
    if needs_data(recipe) and request.calibration is None:
        raise InputError(
            f"recipe {recipe.name!r} calibrates, so it needs a representative dataset", hint="give --calibration-data"
        )
    for kind, data in (("calibration", request.calibration), ("evaluation", request.evaluation)):
        if data is None:
            continue
        if source.inputs:
            check_against_model(data, source.inputs)
        checked.append(f"{kind} data {data.name}: {len(data)} samples")
        warnings += [f"{kind} data: {warning}" for warning in data.warnings]
    if request.calibration is not None and request.evaluation is not None:
        shared = request.calibration.overlap(request.evaluation)
        if shared:
            warnings.append(f"{shared} calibration samples are in the evaluation set too")
    return {"schema": "edgekit.check/1", "checked": checked, "warnings": warnings}
