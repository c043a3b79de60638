"""A model's answers to the evaluation set, from the device or from this computer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from edgekit.core.answers import Answers
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.gate import Allowances
from edgekit.core.metric import Metric
from edgekit.core.paired import drop_verdict
from edgekit.core.target import Target
from edgekit.core.verdict import Verdict
from edgekit.data import check_against_model
from edgekit.device.client import DeviceClient, RunOptions
from edgekit.flows import localhost
from edgekit.flows.evaluate import check_outputs
from edgekit.flows.gating.baseline import Baseline
from edgekit.flows.gating.findings import Finding
from edgekit.flows.gating.gated import GateRequest
from edgekit.flows.gating.regressions import accuracy_finding, blocked
from edgekit.flows.localhost import host_runner
from edgekit.flows.samples import model_inputs
from edgekit.flows.scoring import check_metric, replicate, right_answers
from edgekit.flows.subject import Subject, from_file
from edgekit.flows.workspace import Workspace


def answers_on(
    device: DeviceClient,
    entry: DeviceEntry,
    subject: Subject,
    data: Dataset,
    metric: Metric,
    *,
    kernels: str,
    threads: int,
    timeout_s: float,
    tools: Workspace,
) -> Answers:
    """What a subject that the device has answers there.

    Raises:
        InputError: the data or the metric does not fit the model.
        DeviceError: the model crashed, or the device answers nonsense.
    """
    data = _fitting(subject, data, metric)
    tools.tell("evaluate", f"running {len(data)} samples on {entry.name}")
    result = device.evaluate(
        model_inputs(data, subject.inputs),
        artifact=subject.reference(),
        options=RunOptions(timeout_s=timeout_s, threads=threads, kernels=kernels),
        on_event=tools.on_event,
    )
    outputs = tuple(output.array for output in result.outputs)
    check_outputs(outputs, subject, len(data), entry)
    return _judged(outputs, subject, data, metric, tools)


def answers_here(subject: Subject, data: Dataset, metric: Metric, tools: Workspace) -> Answers:
    """What a subject answers on this computer.

    Raises:
        InputError: the data or the metric does not fit the model.
    """
    data = _fitting(subject, data, metric)
    inputs = model_inputs(data, subject.inputs)
    outputs = localhost.outputs(subject.artifact(), inputs, runtime=host_runner(subject.runtime), tools=tools)
    return _judged(outputs, subject, data, metric, tools)


def answers_of(
    device: DeviceClient, entry: DeviceEntry, subject: Subject, request: GateRequest, tools: Workspace
) -> Answers | None:
    """What a build that the device has answers to the evaluation set; None without one."""
    if request.data is None:
        return None
    return answers_on(
        device, entry, subject, request.data, request.metric, kernels=request.plan.kernels,
        threads=request.plan.threads, timeout_s=request.timeout_s, tools=tools,
    )  # fmt: skip


def drop_of(answers: Answers | None, target: Target, request: GateRequest, tools: Workspace) -> Verdict | str:
    """The accuracy against the float model's, for the budget; or why nobody knows."""
    limit = target.budgets.accuracy_drop
    if limit is None:
        return "there is no such budget"
    if request.data is None or answers is None:
        return "no labelled evaluation set: give --eval-data"
    if request.reference is None:
        return "no float model to compare with: give --reference"
    compared = answers_here(from_file(request.reference, target, tools), request.data, request.metric, tools)
    return drop_verdict(compared.losses(answers), limit, metric=request.metric)


def accuracy_findings(
    baseline: Baseline,
    subject: Subject,
    answers: Answers | None,
    blocking: str | None,
    device: str,
    allow: Allowances,
) -> Iterator[Finding]:
    """The build's answers held against the baseline's; nothing where neither has any.

    Args:
        baseline: with or without answers.
        subject: the build.
        answers: its own.
        blocking: why they cannot be compared; None when they can.
        device: the device's name.
        allow: what may be lost.
    """
    if blocking is not None and answers is not None and baseline.answers is not None:
        yield blocked("accuracy", device, blocking)
    elif answers is not None and baseline.answers is not None:
        same = baseline.artifact.digest == subject.digest
        yield accuracy_finding(baseline.answers, answers, device, allow.accuracy_drop, same_file=same)
    elif baseline.answers is not None:
        yield blocked("accuracy", device, "the baseline has answers, and there is no evaluation set: give --eval-data")
    elif answers is not None:
        yield blocked("accuracy", device, "the baseline has no answers: save it again with --eval-data")


def _fitting(subject: Subject, data: Dataset, metric: Metric) -> Dataset:
    data = check_against_model(data, subject.inputs)
    check_metric(metric, subject.outputs, data)
    if metric.is_top_1 and data.class_labels is None:
        raise InputError(f"{data.name} has no labels to judge answers by", hint="give labelled --eval-data, or none")
    if metric.is_top_1 and not subject.is_classifier:
        raise UnsupportedError(
            f"{subject.name} does not classify, so it has no accuracy", hint="name another metric: --metric mae"
        )
    return data


def _judged(
    outputs: Sequence[NDArray[Any]], subject: Subject, data: Dataset, metric: Metric, tools: Workspace
) -> Answers:
    right = None if metric.k is None else right_answers(metric, outputs[0], data)
    found = replicate(metric, outputs, subject.outputs, data, tools=tools) if metric.k is None else None
    return Answers(metric=metric.name, dataset_digest=data.digest, right=right, replicates=found)
