"""Gate: a build on one device, measured in turn with its baseline's artifact, and everything that is found of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.core.answers import Answers
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.gate import Allowances
from edgekit.core.measurement import Measurement, Memory, Plan
from edgekit.core.metric import TOP_1, Metric
from edgekit.core.paired import drop_verdict
from edgekit.core.regression import Comparison
from edgekit.core.target import Target
from edgekit.core.verdict import Verdict
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.flows.gating.answering import answers_here, answers_on
from edgekit.flows.gating.baseline import Baseline
from edgekit.flows.gating.comparability import Difference, Setting, blocking, differences
from edgekit.flows.gating.findings import Finding
from edgekit.flows.gating.limits import budget_findings
from edgekit.flows.gating.regressions import (
    accuracy_finding,
    blocked,
    instructions_finding,
    latency_finding,
    memory_finding,
    size_finding,
)
from edgekit.flows.measured_document import profile_document
from edgekit.flows.measuring.pair import Pair, measure_pair
from edgekit.flows.profile import measure
from edgekit.flows.runtime import check_machine, ensure_runtime
from edgekit.flows.subject import Subject, from_file
from edgekit.flows.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What is gated on each device.

    Attributes:
        model: a bundle or a model file that a runtime loads as it is.
        plan: how to measure.
        data: the evaluation set; None leaves the accuracy out.
        metric: what answers are judged by.
        reference: a float `.tflite`, for the budget of the accuracy; None: there is none.
        timeout_s: limit for the loop over the evaluation set.
        offline: download nothing.
    """

    model: Path
    plan: Plan
    data: Dataset | None = None
    metric: Metric = TOP_1
    reference: Path | None = None
    timeout_s: float = 3600.0
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class Gated:
    """What was found on one device.

    Attributes:
        entry: the device.
        subject: the build.
        setting: on what and with what it was measured.
        measurement: of the build.
        answers: to the evaluation set; None without one.
        baseline: what it was held against; None for budgets alone.
        pair: both measured in turn; None where there is no baseline, or it is not comparable.
        differences: between then and now.
        findings: before several tests are taken together.
        seconds: that it took.
    """

    entry: DeviceEntry
    subject: Subject
    setting: Setting
    measurement: Measurement
    answers: Answers | None
    baseline: Baseline | None
    pair: Pair | None
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The device's part of `edgekit gate --json`."""
        first = None if self.pair is None else self.pair.first
        return {
            "device": self.entry.name,
            "target": self.setting.target,
            "provenance": str(self.measurement.provenance),
            "flags": [str(flag) for flag in self.measurement.validity],
            "seconds": round(self.seconds, 3),
            "setting": self.setting.as_json(),
            "comparability": [difference.as_json() for difference in self.differences],
            "measurement": profile_document(self.measurement),
            "baseline_measurement": None if first is None else profile_document(first),
            "comparison": None if self.pair is None else _comparison(self.pair.comparison),
            "comparison_reason": None if self.pair is None else self.pair.reason,
            "baseline": None if self.baseline is None else _kept(self.baseline),
        }


def gate_device(
    request: GateRequest,
    entry: DeviceEntry,
    target: Target,
    allow: Allowances,
    *,
    baseline: tuple[Baseline, Path] | None,
    tools: Workspace,
) -> Gated:
    """Measure a build on one device and hold it against budgets and baseline.

    Args:
        request: what is gated.
        entry: the device.
        target: its kind, with the budgets that hold there.
        allow: what may become worse.
        baseline: of this device, and its artifact; None for budgets alone.
        tools: scratch folder, cache, listener.

    Raises:
        MeasurementError: a process crashed, hung or was killed for its memory.
        UnsupportedError: the device is another machine, or its runtime is missing and cannot be provisioned.
    """
    started = time.monotonic()
    tools.tell("connect", f"connecting to {entry.name}")
    with connect(entry) as device:
        check_machine(device, target, entry.name)
        subject = from_file(request.model, target, tools)
        ensure_runtime(device, subject.runtime, offline=request.offline, tools=tools)
        subject.stage(device, tools)
        answers = _answers(device, entry, subject, request, tools)
        drop = _drop(answers, target, request, tools)
        setting = _setting(device, entry, target, subject, request, answers)
        pair = None
        if baseline is not None and "latency_ns" not in blocking(differences(baseline[0].setting, setting)):
            pair = _pair(device, entry, subject, *baseline, request, tools)
            measurement = pair.second
        else:
            measurement = measure(device, entry, subject, plan=request.plan, data=request.data, tools=tools)
    document = profile_document(measurement)
    setting = replace(setting, fingerprint=document["environment_sha256"])
    found = () if baseline is None else differences(baseline[0].setting, setting)
    findings = [
        *budget_findings(
            target.budgets, entry.name, size_bytes=subject.size_bytes, measurement=measurement, profile=document,
            drop=drop,
        )
    ]  # fmt: skip
    if baseline is not None:
        findings += _regressions(baseline[0], subject, answers, pair, blocking(found), entry.name, allow)
    return Gated(
        entry=entry, subject=subject, setting=setting, measurement=measurement, answers=answers,
        baseline=None if baseline is None else baseline[0], pair=pair, differences=found, findings=tuple(findings),
        seconds=time.monotonic() - started,
    )  # fmt: skip


def _regressions(
    baseline: Baseline,
    subject: Subject,
    answers: Answers | None,
    pair: Pair | None,
    reasons: Mapping[str, str],
    device: str,
    allow: Allowances,
) -> Iterator[Finding]:
    if pair is not None and "latency_ns" not in reasons:
        yield latency_finding(pair, device, allow.latency)
        first, second = pair.first, pair.second
        counted = instructions_finding(first.instructions, second.instructions, device, allow.instructions)
        if counted is not None:
            yield counted
        yield memory_finding(_weighed(first), _weighed(second), device, allow.ram, provenance=second.provenance)
    else:
        for metric in ("latency_ns", "ram_bytes"):
            yield blocked(metric, device, reasons[metric])
    yield size_finding(baseline.artifact.size_bytes, subject.size_bytes, device, allow.flash)
    if "accuracy" in reasons and answers is not None and baseline.answers is not None:
        yield blocked("accuracy", device, reasons["accuracy"])
    elif answers is not None and baseline.answers is not None:
        same = baseline.artifact.digest == subject.digest
        yield accuracy_finding(baseline.answers, answers, device, allow.accuracy_drop, same_file=same)
    elif baseline.answers is not None:
        yield blocked("accuracy", device, "the baseline has answers, and there is no evaluation set: give --eval-data")
    elif answers is not None:
        yield blocked("accuracy", device, "the baseline has no answers: save it again with --eval-data")


def _weighed(measurement: Measurement) -> tuple[Memory, ...]:
    return measurement.memories or (() if measurement.memory is None else (measurement.memory,))


def _answers(
    device: DeviceClient, entry: DeviceEntry, subject: Subject, request: GateRequest, tools: Workspace
) -> Answers | None:
    if request.data is None:
        return None
    return answers_on(
        device, entry, subject, request.data, request.metric, kernels=request.plan.kernels,
        threads=request.plan.threads, timeout_s=request.timeout_s, tools=tools,
    )  # fmt: skip


def _drop(answers: Answers | None, target: Target, request: GateRequest, tools: Workspace) -> Verdict | str:
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


def _pair(
    device: DeviceClient,
    entry: DeviceEntry,
    subject: Subject,
    baseline: Baseline,
    artifact: Path,
    request: GateRequest,
    tools: Workspace,
) -> Pair:
    kept = baseline.artifact
    first = Subject(
        name=f"baseline {baseline.name}", digest=kept.digest, format=kept.format, runtime=kept.runtime,
        inputs=kept.inputs, outputs=kept.outputs, path=artifact, size_bytes=kept.size_bytes,
    )  # fmt: skip
    first.stage(device, tools)
    return measure_pair(
        device, entry, first, subject, plan=request.plan, data=request.data, floor=baseline.floor, tools=tools
    )


def _setting(
    device: DeviceClient,
    entry: DeviceEntry,
    target: Target,
    subject: Subject,
    request: GateRequest,
    answers: Answers | None,
) -> Setting:
    runtime = device.status().runtimes.get(subject.runtime)
    return Setting(
        target=target.name,
        machine=device.hello.machine,
        cpu=_cpu_of(device.probe([]).environment),
        emulated=entry.is_emulated,
        runtime=subject.runtime,
        versions=dict(runtime.versions) if runtime is not None else {},
        threads=request.plan.threads,
        kernels=request.plan.kernels,
        fingerprint=None,
        dataset=None if answers is None else answers.dataset_digest,
        metric=None if answers is None else answers.metric,
    )


def _cpu_of(environment: Mapping[str, Any]) -> str:
    """What the processor calls itself: its model, or implementer and part of an Arm core."""
    facts = environment.get("cpu") or {}
    known = [str(facts[key]) for key in ("model name", "Model", "CPU implementer", "CPU part") if facts.get(key)]
    return " ".join(known)


def _comparison(found: Comparison | None) -> dict[str, Any] | None:
    return None if found is None else {**vars(found), "change": str(found.change), "n": list(found.n)}


def _kept(baseline: Baseline) -> dict[str, Any]:
    return {
        "name": baseline.name,
        "device": baseline.device,
        "created_utc": baseline.created_utc,
        "artifact_sha256": baseline.artifact.digest,
        "size_bytes": baseline.artifact.size_bytes,
        "floor": baseline.floor,
    }
