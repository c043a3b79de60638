"""Results as the JSON that `--json` prints and the store keeps; each document names its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.device.upload import transfer_bytes
from edgekit.flows.accuracy_document import class_document, paired_document
from edgekit.flows.kept_time import TimeRatio
from edgekit.flows.measured_document import profile_document

if TYPE_CHECKING:
    from edgekit.bundle.pack import Bundle
    from edgekit.core.artifact import Artifact
    from edgekit.core.measurement import Accuracy, Evaluation, Score
    from edgekit.core.recipe import StepMetrics, StepRecord
    from edgekit.core.verdict import Verdict
    from edgekit.flows.compile import Compilation
    from edgekit.flows.deploy import Deployed


def compilation_document(compilation: Compilation) -> dict[str, Any]:
    """What `edgekit compile --json` prints."""
    bundle = compilation.bundle
    return {
        "schema": "edgekit.compile/1",
        "source": _artifact(compilation.source) | {"path": compilation.bundle.manifest.facts.get("model_name")},
        "artifact": _artifact(compilation.artifact),
        "reference": None
        if compilation.reference is None
        else _artifact(compilation.reference) | metrics_document(compilation.reference_metrics),
        "bundle": _bundle(bundle),
        "target": compilation.target,
        "recipe": compilation.recipe,
        "runtime": compilation.runtime,
        "steps": [_step(record) for record in compilation.steps],
        "cache_hit": compilation.cache_hit,
        "accuracy": {
            "float": accuracy_document(compilation.accuracy_float),
            "artifact": accuracy_document(compilation.accuracy_artifact),
        },
        "metric": metric_document({"float": compilation.score_float, "artifact": compilation.score_artifact}),
        **_search(compilation),
        "verdicts": verdict_documents(compilation.verdicts),
        "gpu": None if compilation.gpu is None else dict(compilation.gpu),
        "mcu": None if compilation.mcu is None else dict(compilation.mcu),
        "npu": (compilation.artifact.facts or {}).get("npu"),
        "warnings": list(compilation.warnings),
    }


def deployed_document(deployed: Deployed) -> dict[str, Any]:
    """What `edgekit deploy --json` prints: compile's document and what happened on the device."""
    if deployed.compilation is not None:
        document = compilation_document(deployed.compilation)
    else:
        manifest = deployed.bundle.manifest
        document = {
            "model": manifest.facts.get("model_name"),
            "bundle": _bundle(deployed.bundle),
            "target": manifest.target,
            "recipe": manifest.recipe,
            "runtime": manifest.runtime,
        }
    return document | {
        "schema": "edgekit.deploy/1",
        "deployment": dict(vars(deployed.deployment)),
        "profile": None if deployed.measurement is None else profile_document(deployed.measurement),
        "evaluation": None if deployed.evaluation is None else evaluation_document(deployed.evaluation),
        "verdicts": verdict_documents(deployed.verdicts),
    }


def verdict_documents(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Budgets with what was found, as JSON."""
    return [{**vars(verdict), "outcome": str(verdict.outcome)} for verdict in verdicts]


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """What `edgekit evaluate --json` prints."""
    return {
        "schema": "edgekit.evaluate/1",
        "device": evaluation.device,
        "artifact_sha256": evaluation.artifact_digest,
        "dataset_sha256": evaluation.dataset_digest,
        "accuracy": accuracy_document(evaluation.accuracy),
        "reference": accuracy_document(evaluation.reference),
        "metric": score_document(evaluation.score),
        "reference_metric": score_document(evaluation.reference_score),
        "agreement": evaluation.agreement,
        "identical_outputs": evaluation.identical_outputs,
        "max_abs_difference": evaluation.max_abs_difference,
        "samples": evaluation.n,
        "seconds": evaluation.seconds,
        "paired": paired_document(evaluation.paired),
        "per_class": [class_document(one) for one in evaluation.per_class],
        "answers": None if evaluation.answers is None else evaluation.answers.as_json(),
        "provenance": str(evaluation.provenance),
    }


def accuracy_document(accuracy: Accuracy | None) -> dict[str, Any] | None:
    """An accuracy with its counts, interval and provenance."""
    if accuracy is None:
        return None
    return {
        "value": accuracy.value,
        "correct": accuracy.correct,
        "n": accuracy.n,
        "ci95": [accuracy.low, accuracy.high],
        "provenance": str(accuracy.provenance),
    }


def score_document(score: Score | None) -> dict[str, Any] | None:
    """A metric that is not top-1 with its interval, direction and provenance."""
    if score is None:
        return None
    return {
        "name": score.metric,
        "value": score.value,
        "n": score.n,
        "ci95": [score.low, score.high],
        "lower_is_better": score.lower_is_better,
        "is_share": score.is_share,
        "provenance": str(score.provenance),
    }


def metric_document(scores: Mapping[str, Score | None]) -> dict[str, Any] | None:
    """A metric that is not top-1, of several models; None where nobody has one."""
    known = [score for score in scores.values() if score is not None]
    if not known:
        return None
    return {
        "name": known[0].metric,
        "lower_is_better": known[0].lower_is_better,
        "is_share": known[0].is_share,
        **{name: score_document(score) for name, score in scores.items()},
    }


def _bundle(bundle: Bundle) -> dict[str, Any]:
    """A bundle and its files, with the bytes that each takes on its way to a remote device that lacks it.

    Not in the manifest: docs/adr/0009.
    """
    files = {
        name: {"sha256": entry.sha256, "size_bytes": entry.size, "transfer_bytes": transfer_bytes(bundle.read(name))}
        for name, entry in sorted(bundle.manifest.files.items())
    }
    return {
        "path": str(bundle.path),
        "sha256": bundle.digest,
        "size_bytes": Path(bundle.path).stat().st_size,
        "transfer_bytes": sum(file["transfer_bytes"] for file in files.values()),
        "files": files,
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "sha256": artifact.digest,
        "size_bytes": artifact.size_bytes,
        "zip_bytes": artifact.zip_bytes,
        "format": artifact.format,
        "inputs": [spec.as_json() for spec in artifact.inputs],
        "outputs": [spec.as_json() for spec in artifact.outputs],
    }


def _search(compilation: Compilation) -> dict[str, Any]:
    """How the accuracy budget was kept; nulls and empty lists without one."""
    found, budget = compilation.found, compilation.budget
    if found is None or budget is None:
        return {"budget": None, "trials": [], "sensitivity": []}
    return {
        "budget": {
            "max_drop": budget.max_drop,
            "confidence": budget.confidence,
            "metric": budget.metric.as_json(),
            "drop": found.trial.losses.drop,
            "outcome": str(found.trial.verdict.outcome),
            "settings": dict(found.trial.settings),
            "kept": [kept.as_json() for kept in found.kept],
            "kept_weights": found.kept_weights,
            "kept_macs": found.kept_macs,
            "cost_bytes": found.cost_bytes,
            **_kept_time(compilation.kept_time),
        },
        "trials": [trial.as_json(budget.confidence) for trial in found.trials],
        "sensitivity": [entry.as_json() for entry in found.sensitivities],
    }


def _kept_time(found: TimeRatio | str | None) -> dict[str, Any]:
    """What the kept layers cost in time: measured, or why not."""
    if isinstance(found, TimeRatio):
        return {"time_ratio": found.as_json(), "time_ratio_reason": None}
    return {"time_ratio": None, "time_ratio_reason": found or "no layer was kept"}


def metrics_document(metrics: StepMetrics | None) -> dict[str, Any]:
    """What a model is as it would be shipped; empty where nobody looked."""
    if metrics is None:
        return {}
    return {
        "size_bytes": metrics.size_bytes,
        "zip_bytes": metrics.zip_bytes,
        "gzip_bytes": metrics.gzip_bytes,
        "parameters": metrics.parameters,
        "sparsity": metrics.sparsity,
        "unique_weights": metrics.unique_weights,
        "macs": metrics.macs,
        "activation_bytes": metrics.activation_bytes,
        "accuracy": accuracy_document(metrics.accuracy),
        "metric": score_document(metrics.score),
    }


def _step(record: StepRecord) -> dict[str, Any]:
    """One step; its sizes are those of the .tflite that would be shipped, `file_bytes` is the step's own file."""
    return {
        "pass": record.pass_name,
        "params": dict(record.params),
        "seconds": record.seconds,
        "cache_hit": record.cache_hit,
        "size_bytes": record.size_bytes,
        "zip_bytes": record.zip_bytes,
        "sha256": record.digest,
        "versions": dict(record.versions),
        "file_bytes": record.size_bytes,
        "notes": list(record.notes),
        "gain": None if record.metrics is None else record.metrics.gain,
        **metrics_document(record.metrics),
    }
