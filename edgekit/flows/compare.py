"""Compare: a float model and its compressed artifact on the same inputs, as a whole and layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle, is_bundle
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset, choose
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import signal_to_noise_db
from edgekit.core.target import Target
from edgekit.core.tflite.accelerators import compatibility
from edgekit.data import check_against_model
from edgekit.flows.chain import float_pass
from edgekit.flows.documents import metrics_document
from edgekit.flows.metrics import Meter
from edgekit.flows.reading import Remembering
from edgekit.flows.scoring import check_metric
from edgekit.flows.workspace import Workspace, workspace
from edgekit.passes._base import PassContext
from edgekit.passes._training import save_arrays
from edgekit.sources._base import load_source

LAYER_SAMPLES = 64
"""Samples that the layers are compared on: an error of a tensor is a mean over many values a sample already."""


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """How far a layer's output in the artifact is from the float model's.

    Attributes:
        name, op, shape: of the tensor in the float model, and the operator that writes it.
        mse: mean squared error.
        snr_db: power of the float values over the power of the error; None without any error or signal.
        cosine: of the two tensors over all samples, None for a tensor of zeros.
        max_abs_error, max_abs_value: the largest error and the largest float value.
        matched_by: "name", or "place" where a converter renamed the tensors.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    mse: float
    snr_db: float | None
    cosine: float | None
    max_abs_error: float
    max_abs_value: float
    matched_by: str


def layer_errors(
    reference: Artifact,
    artifact: Artifact,
    data: Dataset,
    *,
    tools: Workspace,
    samples: int = LAYER_SAMPLES,
    seed: int = 0,
) -> tuple[LayerError, ...]:
    """Errors of the layers that both files have, in the order of the reference.

    Args:
        reference: the float .tflite.
        artifact: the compressed .tflite.
        data: real inputs that fit both.
        tools: child process, scratch folder, listener.
        samples: how many of them are run, every class in its share.
        seed: of that choice.
    """
    some = data.take(choose(len(data), min(samples, len(data)), seed=seed, labels=data.class_labels))
    found = tools.isolate.call(
        "edgekit.passes._compare:layer_errors",
        {"reference": str(reference.path), "artifact": str(artifact.path), "inputs": save_arrays(some, tools.work)},
        what=f"comparing the layers of {artifact.path.name}",
        on_event=tools.on_event,
    )
    return tuple(LayerError(**{**entry, "shape": tuple(entry["shape"])}) for entry in found)


def compare_models(
    float_model: Path,
    compressed: Path,
    target: Target,
    data: Dataset | None,
    *,
    layers: bool = False,
    metric: Metric = TOP_1,
    on_event: OnEvent = ignore,
) -> dict[str, Any]:
    """The document that `edgekit compare --json` prints.

    Args:
        float_model: a model of a framework or a float .tflite.
        compressed: a bundle or a .tflite.
        target: for the conversion of a framework's model.
        data: real inputs, with labels for accuracies; None compares sizes and operators only.
        layers: compare layer by layer too.
        metric: what answers are judged by.
        on_event: listener.

    Raises:
        InputError: the models do not take the same inputs, or layers or a metric are asked for without data.
    """
    if data is None and not metric.is_top_1:
        raise InputError(f"the metric {metric.name} needs labelled data", hint="give some with --data")
    if layers and data is None:
        raise InputError("layers are compared on real inputs", hint="give some with --data")
    with workspace(on_event) as tools:
        reader = Remembering(tools.isolate, tools.cache, tools.work)
        context = PassContext(
            isolate=tools.isolate, cache=tools.cache, work=tools.work, target=target, representative=None,
            timeout_s=1800.0,
        )  # fmt: skip
        reference = _float(float_model, context, tools, reader)
        artifact = _compressed(compressed, tools, reader)
        _check_same_inputs(reference, artifact)
        fitted = None if data is None else check_against_model(data, reference.inputs)
        if fitted is not None:
            check_metric(metric, reference.outputs, fitted)
        meter = Meter(tools=tools, isolate=reader, context=context, evaluation=fitted, metric=metric)
        document: dict[str, Any] = {
            "schema": "edgekit.compare/1",
            "float": _described(reference, float_model, meter),
            "artifact": _described(artifact, compressed, meter),
            "outputs": _outputs(reference, artifact, meter),
        }
        if layers and fitted is not None:
            errors = layer_errors(reference, artifact, fitted, tools=tools)
            document["layers"] = [asdict(error) | {"shape": list(error.shape)} for error in worst_first(errors)]
            document["layer_samples"] = min(LAYER_SAMPLES, len(fitted))
    return document


def worst_first(errors: tuple[LayerError, ...]) -> list[LayerError]:
    """The layers with the lowest signal to noise first; those without any error last."""
    return sorted(errors, key=lambda error: (error.mse == 0, error.snr_db if error.snr_db is not None else -1e9))


def _float(path: Path, context: PassContext, tools: Workspace, reader: Remembering) -> Artifact:
    tools.tell("source", f"reading {path}")
    source, _ = load_source(path, work=tools.work, isolate=reader)
    if source.format == "tflite":
        return source
    converter = float_pass(source.format)
    if converter is None:
        raise UnsupportedError(f"no pass turns {source.format} into .tflite", hint="give a .tflite")
    artifact: Artifact
    artifact, _ = converter.run(source, {}, context)
    return artifact


def _compressed(path: Path, tools: Workspace, reader: Remembering) -> Artifact:
    if is_bundle(path):
        bundle = Bundle.open(path)
        if bundle.manifest.model is None:
            raise InputError(f"{path} holds no model", hint="give a bundle that edgekit compile wrote")
        data = bundle.read(bundle.manifest.model)
        path = tools.work / f"{sha256_bytes(data)[:12]}.{bundle.manifest.format}"
        path.write_bytes(data)
    tools.tell("source", f"reading {path}")
    artifact, _ = load_source(path, work=tools.work, isolate=reader)
    if artifact.format != "tflite":
        raise UnsupportedError(
            f"{path} is {artifact.format}; a .tflite is compared", hint=f"compile it first: edgekit compile {path}"
        )
    return artifact


def _check_same_inputs(reference: Artifact, artifact: Artifact) -> None:
    ours, theirs = ([spec.shape[1:] for spec in side.inputs] for side in (reference, artifact))
    if ours != theirs:
        raise InputError(
            f"the float model takes inputs of shape {[list(shape) for shape in ours]}, "
            f"the artifact {[list(shape) for shape in theirs]}",
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
