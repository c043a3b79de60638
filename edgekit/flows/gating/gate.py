"""Gate: a build on one device, measured in turn with its baseline's artifact, and everything that is found of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core.answers import Answers
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.gate import Allowances
from edgekit.core.measurement import Measurement, Memory
from edgekit.core.target import Target
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.flows.gating.answering import accuracy_findings, answers_of, drop_of
from edgekit.flows.gating.baseline import Baseline
from edgekit.flows.gating.board import gate_board
from edgekit.flows.gating.comparability import Setting, blocking, differences
from edgekit.flows.gating.findings import Finding
from edgekit.flows.gating.gated import Gated, GateRequest
from edgekit.flows.gating.limits import budget_findings
from edgekit.flows.gating.regressions import (
    are_exact,
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
    if target.board is not None:
        return gate_board(request, entry, target, allow, baseline=baseline, tools=tools)
    started = time.monotonic()
    tools.tell("connect", f"connecting to {entry.name}")
    with connect(entry) as device:
        check_machine(device, target, entry.name)
        subject = from_file(request.model, target, tools)
        ensure_runtime(device, subject.runtime, offline=request.offline, tools=tools)
        subject.stage(device, tools)
        answers = answers_of(device, entry, subject, request, tools)
        drop = drop_of(answers, target, request, tools)
        setting = _setting(device, entry, target, subject, request, answers)
        pair = None
        if baseline is not None and "latency_ns" not in blocking(differences(baseline[0].setting, setting)):
            pair = _pair(device, entry, subject, *baseline, request, tools)
            measurement = pair.second
        else:
            measurement = measure(device, entry, subject, plan=request.plan_on(entry), data=request.data, tools=tools)
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
        reasons = blocking(found)
        findings += _regressions(baseline[0], subject, answers, pair, reasons, request, entry, allow)
    return Gated(
        entry=entry, subject=subject, setting=setting, profile=document, measurement=measurement, answers=answers,
        baseline=None if baseline is None else baseline[0], pair=pair, differences=found, findings=tuple(findings),
        seconds=time.monotonic() - started,
    )  # fmt: skip


def _regressions(
    baseline: Baseline,
    subject: Subject,
    answers: Answers | None,
    pair: Pair | None,
    reasons: Mapping[str, str],
    request: GateRequest,
    entry: DeviceEntry,
    allow: Allowances,
) -> Iterator[Finding]:
    device = entry.name
    if pair is not None and "latency_ns" not in reasons:
        first, second = pair.first, pair.second
        if request.times_emulators or not (entry.is_emulated and are_exact(first.instructions, second.instructions)):
            yield latency_finding(pair, device, allow.latency)
        counted = instructions_finding(first.instructions, second.instructions, device, allow.instructions)
        if counted is not None:
            yield counted
        yield memory_finding(_weighed(first), _weighed(second), device, allow.ram, provenance=second.provenance)
    else:
        for metric in ("latency_ns", "ram_bytes"):
            yield blocked(metric, device, reasons[metric])
    yield size_finding(baseline.artifact.size_bytes, subject.size_bytes, device, allow.flash)
    yield from accuracy_findings(baseline, subject, answers, reasons.get("accuracy"), device, allow)


def _weighed(measurement: Measurement) -> tuple[Memory, ...]:
    return measurement.memories or (() if measurement.memory is None else (measurement.memory,))


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
    plan = request.plan_on(entry)
    return measure_pair(device, entry, first, subject, plan=plan, data=request.data, floor=baseline.floor, tools=tools)


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
