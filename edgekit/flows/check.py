"""Check: do project, model, data, recipe and target go together; nothing is compressed, only the cache is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.errors import EdgekitError, InputError, MeasurementError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.metric import Metric
from edgekit.data import check_against_model, check_labels
from edgekit.flows.accuracy import classifies
from edgekit.flows.chain import check_chain, chosen_recipe, float_pass, needs_data
from edgekit.flows.formats import RUNNERS, is_compressed
from edgekit.flows.gpu import check_gpu, gpu_facts, gpu_warnings, has_gpu
from edgekit.flows.loading import load_model
from edgekit.flows.request import CompileRequest
from edgekit.flows.scoring import check_metric, needs_evaluation
from edgekit.flows.workspace import Workspace, workspace
from edgekit.passes._base import PassContext


def check_request(request: CompileRequest, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Check what `compile_model` would need.

    Returns:
        The document that `edgekit check --json` prints: what was checked, and warnings.

    Raises:
        EdgekitError: the first thing that is wrong.
    """
    checked = [f"target {request.target.name}: {request.target.title}"]
    warnings: list[str] = []

    def warn(texts: Sequence[str], error: type[EdgekitError]) -> None:
        request.refuse(texts, error)
        warnings.extend(texts)

    given = {"calibration": request.calibration, "evaluation": request.evaluation}
    with workspace(on_event) as tools:
        source, found = load_model(
            request.model, tools, data=(*given.values(), request.training), input_shape=request.input_shape
        )
        warn(found, UnsupportedError)
        checked.append(f"model {request.model}: {source.format}, {source.size_bytes:,} bytes")
        recipe = chosen_recipe(
            request.recipe, request.target, source.format, compressed=is_compressed(source, tools.isolate)
        )
        check_chain(recipe, request.target, source.format)
        checked.append(f"recipe {recipe.name}: {recipe.summary}")
        if needs_data(recipe) and request.calibration is None and request.training is None:
            raise InputError(
                f"recipe {recipe.name!r} calibrates, so it needs a representative dataset",
                hint="give --calibration-data",
            )
        model = _with_signature(source, request, tools) if any(given.values()) else source
        gpu = _gpu(source, request, tools)
    fitted = {kind: _fitted(data, model) for kind, data in given.items() if data is not None}
    for kind, data in fitted.items():
        checked.append(f"{kind} data {data.name}: {len(data)} samples")
        warn([f"{kind} data: {warning}" for warning in data.warnings], InputError)
    fitting, unfitting = _answers(request.metric, model, fitted.get("evaluation"))
    checked += fitting
    warn(unfitting, UnsupportedError)
    if len(fitted) == len(given):
        shared = fitted["calibration"].overlap(fitted["evaluation"])
        if shared:
            warn([f"{shared} calibration samples are in the evaluation set too"], MeasurementError)
    if gpu is not None:
        checked += gpu_facts(gpu)
        warn(gpu_warnings(gpu), UnsupportedError)
    return {"schema": "edgekit.check/1", "checked": checked, "warnings": warnings, "gpu": gpu}


def _answers(metric: Metric, model: Artifact, evaluation: Dataset | None) -> tuple[list[str], list[str]]:
    """Whether the metric fits model and labels: lines for what does, and warnings."""
    if not metric.is_top_1:
        if evaluation is None:
            raise needs_evaluation(metric)
        check_metric(metric, model.outputs, evaluation)
        return [f"metric {metric.name}: fits the model and the labels of {evaluation.name}"], []
    if evaluation is None or evaluation.labels is None:
        return [], []
    if classifies(model.outputs):
        check_labels(evaluation, model.outputs[0].shape[-1])
        return [], []
    shapes = ", ".join(str(list(spec.shape)) for spec in model.outputs)
    return [], [f"no accuracy: outputs of shape {shapes} are not the scores of at least two classes"]


def _gpu(source: Artifact, request: CompileRequest, tools: Workspace) -> dict[str, Any] | None:
    """A finished .tflite on the target's GPU delegate, as it stands; other models are asked when they are compiled."""
    if source.format != "tflite" or not has_gpu(request.target, source.format):
        return None
    facts = tools.isolate.call(
        "edgekit.flows._child:facts", {"path": str(source.path)}, what=f"reading {request.model}"
    )
    data = next((each for each in (request.evaluation, request.calibration) if each is not None), None)
    fitted = None if data is None else check_against_model(data, source.inputs)
    return check_gpu(source, fitted, facts, tools=tools, timeout_s=request.timeout_s)


def _with_signature(source: Artifact, request: CompileRequest, tools: Workspace) -> Artifact:
    """The model with inputs and outputs: where only a framework knows them, the float .tflite that compile makes too.

    The conversion runs in the child process, and compile finds its result in the cache.
    """
    converter = None if source.format in RUNNERS or source.facts else float_pass(source.format)
    if converter is None:
        return source
    tools.tell("convert", f"converting to float32 .{converter.emits}, to learn the model's inputs and outputs")
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
