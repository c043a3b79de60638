"""Evaluate: accuracy of a model on a device over a whole data set, beside the same artifact on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import DeviceError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Evaluation, Provenance
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import CONFIDENCE
from edgekit.core.target import Target
from edgekit.data import check_against_model
from edgekit.device.client import DeviceClient, RunOptions
from edgekit.device.connect import connect
from edgekit.flows import localhost
from edgekit.flows.accuracy import agreement
from edgekit.flows.float_model import float_artifact
from edgekit.flows.formats import RUNNERS
from edgekit.flows.judging import Judged, classes_of, judge_outputs, verdict_against
from edgekit.flows.localhost import host_runner
from edgekit.flows.profile import provenance_of
from edgekit.flows.runtime import ensure_runtime
from edgekit.flows.samples import model_inputs
from edgekit.flows.scoring import check_classes, check_metric
from edgekit.flows.subject import Subject, active_on, from_file
from edgekit.flows.workspace import Workspace, workspace


def evaluate_model(
    model: Path | None,
    entry: DeviceEntry,
    target: Target,
    data: Dataset,
    *,
    metric: Metric = TOP_1,
    reference: Path | None = None,
    max_drop: float | None = None,
    confidence: float = CONFIDENCE,
    timeout_s: float = 3600.0,
    offline: bool = False,
    on_event: OnEvent = ignore,
) -> tuple[Subject, Evaluation]:
    """Connect, make sure that the device has model and runtime, and evaluate.

    Args:
        model: a bundle or a model file; None takes what is active on the device.
        entry: the device.
        target: its kind.
        data: preprocessed samples, with labels for an accuracy.
        metric: what answers are judged by.
        reference: a float model to compare with on the same samples, run on this computer.
        max_drop: how much worse than the reference the model may be; None takes one point for a metric of shares.
        confidence: how sure that has to be, one-sided.
        timeout_s: limit for the device's loop over the data set.
        offline: download nothing.
        on_event: listener.
    """
    if max_drop is not None:
        check_classes(metric, data)
    with workspace(on_event) as tools, connect(entry) as device:
        subject = active_on(device) if model is None else from_file(model, target, tools)
        ensure_runtime(device, subject.runtime, offline=offline, tools=tools)
        subject.stage(device, tools)
        compared = None if reference is None else judged_here(reference, target, data, metric, tools)
        return subject, evaluate(
            device,
            entry,
            subject,
            data,
            metric=metric,
            reference=compared,
            max_drop=max_drop,
            confidence=confidence,
            timeout_s=timeout_s,
            tools=tools,
        )


def evaluate(
    device: DeviceClient,
    entry: DeviceEntry,
    subject: Subject,
    data: Dataset,
    *,
    reference: Judged | None,
    timeout_s: float,
    tools: Workspace,
    metric: Metric = TOP_1,
    max_drop: float | None = None,
    confidence: float = CONFIDENCE,
) -> Evaluation:
    """Evaluate a subject that the device has.

    Args:
        device: connected.
        entry: the device.
        subject: what it runs.
        data: preprocessed samples, with labels for an accuracy.
        reference: the float model on the same samples; None compares with nothing.
        timeout_s: limit for the device's loop.
        tools: cache and listener.
        metric: what answers are judged by.
        max_drop, confidence: as for `evaluate_model`.

    Raises:
        InputError: the data or the metric does not fit the model.
        DeviceError: the model crashed on the device.
    """
    data = check_against_model(data, subject.inputs)
    check_metric(metric, subject.outputs, data)
    inputs = model_inputs(data, subject.inputs)
    tools.tell("evaluate", f"running {len(data)} samples on {entry.name}")
    result = device.evaluate(
        inputs, artifact=subject.reference(), options=RunOptions(timeout_s=timeout_s), on_event=tools.on_event
    )
    outputs = tuple(output.array for output in result.outputs)
    check_outputs(outputs, subject, len(data), entry)
    provenance = provenance_of(entry)
    judged = judge_outputs(metric, outputs, subject.outputs, data, provenance=provenance, tools=tools)
    compared = None
    if subject.path is not None:
        ours = localhost.outputs(subject.artifact(), inputs, runtime=host_runner(subject.runtime), tools=tools)
        compared = agreement(ours, outputs, subject.outputs, classifier=subject.is_classifier)
    return Evaluation(
        device=entry.name,
        artifact_digest=subject.digest,
        dataset_digest=data.digest,
        accuracy=judged.accuracy,
        reference=None if reference is None else reference.accuracy,
        score=judged.score,
        reference_score=None if reference is None else reference.score,
        agreement=None if compared is None else compared.share,
        identical_outputs=None if compared is None else compared.identical,
        max_abs_difference=None if compared is None else compared.max_abs_difference,
        n=result.samples,
        seconds=result.seconds,
        provenance=provenance,
        paired=verdict_against(reference, judged, metric, max_drop=max_drop, confidence=confidence),
        per_class=classes_of(reference, judged, data),
        answers=judged.answers,
    )


def check_outputs(outputs: tuple[NDArray[Any], ...], subject: Subject, samples: int, entry: DeviceEntry) -> None:
    """Refuse outputs of another shape or type than the model's, and such as are no numbers at all.

    Raises:
        DeviceError: they are that.
    """
    found = [(array.dtype.name, array.shape) for array in outputs]
    fitting = len(outputs) == len(subject.outputs) and all(
        array.dtype.name == spec.dtype and len(array) == samples and _fits(array.shape[1:], spec.shape[1:])
        for array, spec in zip(outputs, subject.outputs, strict=True)
    )
    if not fitting:
        wanted = [(spec.dtype, (samples, *spec.shape[1:])) for spec in subject.outputs]
        raise DeviceError(
            f"{entry.name} answered with outputs {found}, the model gives {wanted}",
            hint="is its runtime the right one?",
        )
    for array, spec in zip(outputs, subject.outputs, strict=True):
        if array.dtype.kind == "f" and np.isnan(array).all():
            raise DeviceError(
                f"every value of output {spec.name!r} on {entry.name} is NaN",
                hint="compare with this computer: edgekit evaluate --device local",
            )


def _fits(found: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    """Whether the sizes of one sample's axes are the declared ones; -1 is an axis that may have any size."""
    return len(found) == len(declared) and all(b in (-1, a) for a, b in zip(found, declared, strict=True))


def judged_here(path: Path, target: Target, data: Dataset, metric: Metric, tools: Workspace) -> Judged:
    """A float model's answers on this computer, which a device's are held against.

    Args:
        path: of the model.
        target: whose runtime runs it, where this computer has that.
        data: preprocessed samples with labels.
        metric: what answers are judged by.
        tools: cache and listener.

    Raises:
        InputError: the data or the metric does not fit the model.
    """
    artifact = float_artifact(path, target, tools)
    data = check_against_model(data, artifact.inputs)
    check_metric(metric, artifact.outputs, data)
    runtime = target.runtime_for(artifact.format)
    runner = RUNNERS[artifact.format] if runtime is None else host_runner(runtime.name)
    outputs = localhost.outputs(artifact, model_inputs(data, artifact.inputs), runtime=runner, tools=tools)
    return judge_outputs(metric, outputs, artifact.outputs, data, provenance=Provenance.MEASURED, tools=tools)
