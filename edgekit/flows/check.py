"""Check: do project, model, data, recipe and target go together; nothing is compressed, only the cache is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.config.recipes import load_recipe
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.errors import InputError
from edgekit.core.events import OnEvent, ignore
from edgekit.data import check_against_model, check_labels
from edgekit.flows.accuracy import classifies
from edgekit.flows.chain import AS_IS, check_chain, float_pass, needs_data
from edgekit.flows.request import CompileRequest
from edgekit.flows.workspace import Workspace, workspace
from edgekit.passes._base import PassContext
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
    given = {"calibration": request.calibration, "evaluation": request.evaluation}
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
        if needs_data(recipe) and request.calibration is None and request.training is None:
            raise InputError(
                f"recipe {recipe.name!r} calibrates, so it needs a representative dataset",
                hint="give --calibration-data",
            )
        model = _with_signature(source, request, tools) if any(given.values()) else source
    fitted = {kind: _fitted(data, model) for kind, data in given.items() if data is not None}
    for kind, data in fitted.items():
        checked.append(f"{kind} data {data.name}: {len(data)} samples")
        warnings += [f"{kind} data: {warning}" for warning in data.warnings]
    if (evaluation := fitted.get("evaluation")) is not None and evaluation.labels is not None:
        if classifies(model.outputs):
            check_labels(evaluation, model.outputs[0].shape[-1])
        else:
            shapes = ", ".join(str(list(spec.shape)) for spec in model.outputs)
            warnings.append(f"no accuracy: outputs of shape {shapes} are not the scores of at least two classes")
    if len(fitted) == len(given):
        shared = fitted["calibration"].overlap(fitted["evaluation"])
        if shared:
            warnings.append(f"{shared} calibration samples are in the evaluation set too")
    return {"schema": "edgekit.check/1", "checked": checked, "warnings": warnings}


def _with_signature(source: Artifact, request: CompileRequest, tools: Workspace) -> Artifact:
    """The model with inputs and outputs: where only a framework knows them, the float .tflite that compile makes too.

    The conversion runs in the child process, and compile finds its result in the cache.
    """
    converter = None if source.format == "tflite" else float_pass(source.format)
    if converter is None:
        return source
    tools.tell("convert", "converting to float32 .tflite, to learn the model's inputs and outputs")
    context = PassContext(
        isolate=tools.isolate,
        cache=tools.cache,
        work=tools.work,
        target=request.target,
        representative=None,
        timeout_s=request.timeout_s,
        input_shape=request.input_shape,
    )
    converted: Artifact
    converted, _ = converter.run(source, {}, context)
    return converted


def _fitted(data: Dataset, model: Artifact) -> Dataset:
    """The data set in the model's shapes.

    Raises:
        InputError: another shape or dtype, or a value that the model's dtype cannot hold.
    """
    data = check_against_model(data, model.inputs)
    for array, spec in zip(data.inputs, model.inputs, strict=True):
        dtype = np.dtype(spec.dtype if spec.dtype.startswith("float") else array.dtype)
        with np.errstate(over="ignore"):  # what overflows is told below
            finite = np.isfinite(array.astype(dtype, copy=False)).reshape(len(array), -1).all(axis=1)
        if not finite.all():
            raise InputError(
                f"sample {int(np.argmin(finite))} of {data.name} is not finite as {dtype}: a value is beyond "
                f"{np.finfo(dtype).max:.2g}",
                hint="scale the samples, or remove it",
            )
    return data
