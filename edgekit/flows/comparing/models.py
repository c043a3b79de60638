"""A float model and its compressed artifact on the same inputs of this computer, as a whole and layer by layer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import CONFIDENCE, signal_to_noise_db
from edgekit.core.paired_verdict import paired_verdict
from edgekit.core.target import Target
from edgekit.core.tflite.accelerators import compatibility
from edgekit.data import check_against_model
from edgekit.flows.accuracy_document import class_document, paired_document
from edgekit.flows.comparing.layers import LAYER_SAMPLES, layer_errors, worst_first
from edgekit.flows.documents import metrics_document
from edgekit.flows.float_model import conversion_context, float_artifact
from edgekit.flows.judging import classes_of
from edgekit.flows.metrics import Meter
from edgekit.flows.reading import Remembering
from edgekit.flows.scoring import check_metric
from edgekit.flows.workspace import Workspace


def compare_models(
    first: Path,
    second: Path,
    target: Target,
    data: Dataset | None,
    *,
    tools: Workspace,
    layers: bool = False,
    metric: Metric = TOP_1,
    max_drop: float | None = None,
    confidence: float = CONFIDENCE,
) -> dict[str, Any]:
    """The document of two models on this computer.

    Args:
        first: a model of a framework, a float .tflite, or anything else that this computer runs.
        second: a bundle or a .tflite; it is judged.
        target: for the conversion of a framework's model.
        data: real inputs, with labels for accuracies; None compares sizes and operators only.
        tools: scratch folder, cache, child process, listener.
        layers: compare layer by layer too.
        metric: what answers are judged by.
        max_drop: how much worse the second may be; None takes one point for a metric of shares.
        confidence: how sure that has to be, one-sided.

    Raises:
        InputError: the models do not take the same inputs, or layers or a metric are asked for without data.
        UnsupportedError: one of them is no .tflite and cannot become one.
    """
    if data is None and not metric.is_top_1:
        raise InputError(f"the metric {metric.name} needs labelled data", hint="give some with --data")
    if layers and data is None:
        raise InputError("layers are compared on real inputs", hint="give some with --data")
    reference, artifact = (float_artifact(path, target, tools) for path in (first, second))
    for path, one in ((first, reference), (second, artifact)):
        if one.format != "tflite":
            raise UnsupportedError(
                f"{path} is {one.format}; a .tflite is compared on this computer",
                hint="compare them on a device: --device NAME",
            )
    check_same_inputs(reference, artifact)
    fitted = None if data is None else check_against_model(data, reference.inputs)
    if fitted is not None:
        check_metric(metric, reference.outputs, fitted)
    meter = Meter(
        tools=tools,
        isolate=Remembering(tools.isolate, tools.cache, tools.work),
        context=conversion_context(target, tools),
        evaluation=fitted,
        metric=metric,
    )
    document: dict[str, Any] = {
        "schema": "edgekit.compare/1",
        "float": _described(reference, first, meter),
        "artifact": _described(artifact, second, meter),
        "outputs": _outputs(reference, artifact, meter),
        **_judged(reference, artifact, meter, max_drop, confidence),
    }
    if layers and fitted is not None:
        errors = layer_errors(reference, artifact, fitted, tools=tools)
        document["layers"] = [asdict(error) | {"shape": list(error.shape)} for error in worst_first(errors)]
        document["layer_samples"] = min(LAYER_SAMPLES, len(fitted))
    return document


def described_file(path: Path, target: Target, tools: Workspace) -> dict[str, Any]:
    """What is known of a model that is not looked into."""
    artifact = float_artifact(path, target, tools)
    return {
        "path": str(path),
        "sha256": artifact.digest,
        "size_bytes": artifact.size_bytes,
        "zip_bytes": artifact.zip_bytes,
        "format": artifact.format,
    }


def check_same_inputs(first: Artifact, second: Artifact) -> None:
    """Refuse two models that do not take the same samples.

    Raises:
        InputError: the shapes differ.
    """
    ours, theirs = ([spec.shape[1:] for spec in side.inputs] for side in (first, second))
    if ours != theirs:
        raise InputError(
            f"the first model takes inputs of shape {[list(shape) for shape in ours]}, "
            f"the second {[list(shape) for shape in theirs]}",
            hint="give two forms of the same model",
        )


def _described(artifact: Artifact, path: Path, meter: Meter) -> dict[str, Any]:
    metrics, facts = meter.weighed(artifact).metrics, meter.facts(artifact)
    return {
        "path": str(path),
        "sha256": artifact.digest,
        **metrics_document(metrics),
        "runs_on": {name: verdict.as_json() for name, verdict in compatibility(facts).items()},
    }


def _outputs(reference: Artifact, artifact: Artifact, meter: Meter) -> dict[str, Any] | None:
    """How far the answers are from each other; None without data."""
    ours, theirs = meter.outputs(reference), meter.outputs(artifact)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return None
    noise = signal_to_noise_db(ours, theirs)
    losses = meter.losses(reference, artifact)
    interval = None if losses is None else losses.interval(confidence=0.975)
    return {
        "samples": len(ours),
        "snr_db": noise if abs(noise) != float("inf") else None,
        "max_abs_error": float(abs(ours - theirs).max(initial=0.0)),
        "metric": meter.metric.as_json(),
        "drop": None if interval is None else {"value": interval.value, "ci95": [interval.low, interval.high]},
    }


def _judged(
    reference: Artifact, artifact: Artifact, meter: Meter, max_drop: float | None, confidence: float
) -> dict[str, Any]:
    """Whether the accuracy held, as a whole and class by class; nothing without labels."""
    losses, data = meter.losses(reference, artifact), meter.evaluation
    judged = meter.judged(artifact)
    if losses is None or judged is None or data is None:
        return {"accuracy": None, "per_class": []}
    verdict = paired_verdict(losses, meter.metric, max_drop=max_drop, confidence=confidence)
    classes = classes_of(meter.judged(reference), judged, data)
    return {"accuracy": paired_document(verdict), "per_class": [class_document(one) for one in classes]}
