"""Two artifacts on one device in one session: which is faster, which needs more memory, which answers better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from edgekit.bundle.pack import is_bundle
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import UnsupportedError
from edgekit.core.measurement import Measurement, Plan
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import CONFIDENCE
from edgekit.core.regression import compare_medians, margin_of
from edgekit.core.target import Target
from edgekit.data import check_against_model
from edgekit.device.client import DeviceClient, RunOptions
from edgekit.flows.accuracy_document import class_document, paired_document
from edgekit.flows.comparing.figures import (
    instructions_document,
    latency_document,
    memory_document,
    operators_document,
)
from edgekit.flows.comparing.models import check_same_inputs
from edgekit.flows.evaluate import check_outputs
from edgekit.flows.float_model import float_artifact
from edgekit.flows.judging import Judged, classes_of, judge_outputs, verdict_against
from edgekit.flows.measured_document import profile_document
from edgekit.flows.measuring.fingerprint import environment_sha256
from edgekit.flows.measuring.floor import kept_floor
from edgekit.flows.measuring.pair import Pair, measure_pair
from edgekit.flows.profile import provenance_of
from edgekit.flows.samples import model_inputs
from edgekit.flows.scoring import check_metric
from edgekit.flows.subject import Subject, from_file
from edgekit.flows.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How answers are judged.

    Attributes:
        data: real inputs, with labels for an accuracy; None takes random ones and judges no answer.
        metric: what they are judged by.
        max_drop: how much worse the second may be; None takes one point for a metric of shares.
        confidence: how sure that has to be, one-sided.
        timeout_s: limit for the loop over the data set.
    """

    data: Dataset | None = None
    metric: Metric = TOP_1
    max_drop: float | None = None
    confidence: float = CONFIDENCE
    timeout_s: float = 3600.0


def subject_of(path: Path, target: Target, tools: Workspace) -> Subject:
    """What is run on a device: a bundle or a file that its runtime loads; a framework's model becomes one.

    Raises:
        UnsupportedError: the target runs nothing that it can become.
    """
    if is_bundle(path):
        return from_file(path, target, tools)
    artifact: Artifact = float_artifact(path, target, tools)
    runtime = target.runtime_for(artifact.format)
    if runtime is None:
        raise UnsupportedError(
            f"{target.name} does not run {artifact.format} models as they are",
            hint=f"compile it first: edgekit compile {path} --target {target.name}",
        )
    return Subject(
        name=path.name, digest=artifact.digest, format=artifact.format, runtime=runtime.name, inputs=artifact.inputs,
        outputs=artifact.outputs, path=artifact.path, size_bytes=artifact.size_bytes,
    )  # fmt: skip


def compare_on_device(
    device: DeviceClient,
    entry: DeviceEntry,
    first: Subject,
    second: Subject,
    *,
    plan: Plan,
    judgement: Judgement,
    tools: Workspace,
) -> tuple[dict[str, Any], Pair]:
    """Measure two subjects in turn and hold the second against the first.

    Args:
        device: connected; it has both subjects and their runtimes.
        entry: the device.
        first, second: the second one is judged.
        plan: how to measure.
        judgement: how answers are judged.
        tools: scratch folder, cache, child process, listener.

    Returns:
        The parts of the document, and the raw measurements.

    Raises:
        InputError: the models do not take the same inputs, or data or metric do not fit them.
        MeasurementError: a process crashed, hung or was killed for its memory.
    """
    check_same_inputs(first.artifact(), second.artifact())
    judged = [_judged(device, entry, subject, plan, judgement, tools) for subject in (first, second)]
    pair = _with_floor(
        measure_pair(device, entry, first, second, plan=plan, data=judgement.data, floor=None, tools=tools), entry
    )
    a, b = pair.first, pair.second
    document: dict[str, Any] = {
        "device": entry.name,
        "provenance": str(b.provenance),
        "profiles": {"a": profile_document(a), "b": profile_document(b)},
        "latency": None if pair.comparison is None else latency_document(a, b, pair.comparison, one_session=True),
        "latency_reason": pair.reason,
        "memory": memory_document(a, b),
        "instructions": instructions_document(a.instructions, b.instructions),
        "operators": operators_document(a, b),
        "operators_reason": a.operators_reason or b.operators_reason,
    }
    return document | _answers(judged, judgement, second), pair


def _with_floor(pair: Pair, entry: DeviceEntry) -> Pair:
    """The comparison by the device's own margin, where its noise floor is known."""
    floor = kept_floor(entry.name, environment_sha256(pair.first))
    if pair.comparison is None or margin_of(floor) == pair.comparison.margin:
        return pair
    found = compare_medians(
        _medians(pair.first), _medians(pair.second), margin=margin_of(floor), seed=pair.first.plan.seed
    )
    return replace(pair, comparison=found)


def _judged(
    device: DeviceClient, entry: DeviceEntry, subject: Subject, plan: Plan, judgement: Judgement, tools: Workspace
) -> Judged | None:
    if judgement.data is None:
        return None
    data = check_against_model(judgement.data, subject.inputs)
    check_metric(judgement.metric, subject.outputs, data)
    if data.labels is None:
        return None
    tools.tell("evaluate", f"running {len(data)} samples of {subject.name} on {entry.name}")
    result = device.evaluate(
        model_inputs(data, subject.inputs),
        artifact=subject.reference(),
        options=RunOptions(timeout_s=judgement.timeout_s, threads=plan.threads, kernels=plan.kernels),
        on_event=tools.on_event,
    )
    outputs = tuple(output.array for output in result.outputs)
    check_outputs(outputs, subject, len(data), entry)
    return judge_outputs(judgement.metric, outputs, subject.outputs, data, provenance=provenance_of(entry), tools=tools)


def _answers(judged: list[Judged | None], judgement: Judgement, subject: Subject) -> dict[str, Any]:
    first, second = judged
    if first is None or second is None or judgement.data is None:
        return {"accuracy": None, "per_class": []}
    verdict = verdict_against(
        first, second, judgement.metric, max_drop=judgement.max_drop, confidence=judgement.confidence
    )
    data = check_against_model(judgement.data, subject.inputs)
    return {
        "accuracy": paired_document(verdict),
        "per_class": [class_document(one) for one in classes_of(first, second, data)],
    }


def _medians(measurement: Measurement) -> list[float]:
    return [median(run.samples_ns) for run in measurement.runs if run.samples_ns]
