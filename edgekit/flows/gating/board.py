"""Gate on a microcontroller's board: flash, RAM and instructions are exact, so one run of each image settles them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.core.answers import Answers
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.gate import Allowances
from edgekit.core.measurement import InstructionCount
from edgekit.core.target import Target
from edgekit.core.verdict import Outcome, Verdict
from edgekit.device.connect import connect
from edgekit.flows.board import count_image, profile_board
from edgekit.flows.gating.answering import accuracy_findings, answers_of, drop_of
from edgekit.flows.gating.baseline import Baseline
from edgekit.flows.gating.comparability import Setting, blocking, differences
from edgekit.flows.gating.findings import Finding
from edgekit.flows.gating.gated import Gated, GateRequest
from edgekit.flows.gating.limits import budget_finding, drop_budget, exact_budget
from edgekit.flows.gating.regressions import blocked, instructions_finding, size_finding
from edgekit.flows.subject import Subject, from_file
from edgekit.flows.workspace import Workspace


def gate_board(
    request: GateRequest,
    entry: DeviceEntry,
    target: Target,
    allow: Allowances,
    *,
    baseline: tuple[Baseline, Path] | None,
    tools: Workspace,
) -> Gated:
    """Hold a compiled image against budgets, and against the baseline's image on the same emulated board.

    Args:
        request: what is gated; the first sample of its data is the call that is counted.
        entry: the board.
        target: its kind, with the budgets that hold there.
        allow: what may become worse.
        baseline: of this board, and its image; None for budgets alone.
        tools: scratch folder, cache, listener.

    Raises:
        InputError: the model is no bundle with an image for a board.
    """
    started = time.monotonic()
    seed = request.plan.seed
    profile = profile_board(request.model, entry, target, data=request.data, seed=seed, on_event=tools.on_event)
    subject = from_file(request.model, target, tools)
    with connect(entry) as device:
        subject.stage(device, tools)
        answers = answers_of(device, entry, subject, request, tools)
    drop = drop_of(answers, target, request, tools)
    setting = _setting(target, subject, answers)
    found = () if baseline is None else differences(baseline[0].setting, setting)
    findings = [*_budgets(target, entry.name, profile, drop)]
    if baseline is not None:
        kept, image = baseline
        reasons = blocking(found)
        counted = None
        if "instructions" not in reasons:
            counted = count_image(image, kept.artifact.inputs, target, data=request.data, seed=seed, tools=tools)
        findings += _regressions(kept, profile, counted, reasons, entry.name, allow)
        findings += accuracy_findings(kept, subject, answers, reasons.get("accuracy"), entry.name, allow)
    return Gated(
        entry=entry, subject=subject, setting=setting, profile=profile, measurement=None, answers=answers,
        baseline=None if baseline is None else baseline[0], pair=None, differences=found, findings=tuple(findings),
        seconds=time.monotonic() - started,
    )  # fmt: skip


def _setting(target: Target, subject: Subject, answers: Answers | None) -> Setting:
    assert target.board is not None
    return Setting(
        target=target.name,
        machine="",
        cpu=target.board.core,
        emulated=True,
        runtime=subject.runtime,
        versions={},
        threads=1,
        kernels="default",
        fingerprint=None,
        dataset=None if answers is None else answers.dataset_digest,
        metric=None if answers is None else answers.metric,
    )


def _budgets(target: Target, device: str, profile: Mapping[str, Any], drop: Verdict | str) -> Iterator[Finding]:
    """Flash and RAM of the model itself; what a call takes in time only the chip knows."""
    budgets, mcu = target.budgets, profile["mcu"]
    for metric, limit in (("flash_bytes", budgets.flash_bytes), ("ram_bytes", budgets.ram_bytes)):
        if limit is not None:
            yield exact_budget(metric, device, mcu[metric], limit, "of the linked image, exact")
    if budgets.latency_p90_ns is not None:
        why = profile["latency_reasons"]["all"]
        yield budget_finding("latency_p90_ns", device, None, budgets.latency_p90_ns, Outcome.INCONCLUSIVE, why)
    if budgets.accuracy_drop is not None:
        yield drop_budget(drop, budgets.accuracy_drop, device)


def _regressions(
    baseline: Baseline,
    profile: Mapping[str, Any],
    counted: InstructionCount | None,
    reasons: Mapping[str, str],
    device: str,
    allow: Allowances,
) -> Iterator[Finding]:
    mcu, before = profile["mcu"], baseline.measurement.get("mcu")
    if counted is None:
        yield blocked("instructions", device, reasons["instructions"])
    else:
        now = InstructionCount(**profile["instructions"])
        yield from filter(None, [instructions_finding(counted, now, device, allow.instructions)])
    if before is None:
        for metric in ("ram_bytes", "flash_bytes"):
            yield blocked(metric, device, "the baseline is of no microcontroller: save it again")
        return
    yield size_finding(before["ram_bytes"], mcu["ram_bytes"], device, allow.ram, metric="ram_bytes")
    yield size_finding(before["flash_bytes"], mcu["flash_bytes"], device, allow.flash)
