"""Save a baseline: the artifact gated by its budgets alone, then kept with what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import GateFailedError
from edgekit.core.gate import Allowances, FailOn
from edgekit.core.measurement import Measurement
from edgekit.core.target import Target
from edgekit.core.verdict import Outcome
from edgekit.flows.gating.baseline import Baseline, KeptArtifact
from edgekit.flows.gating.findings import finding_document
from edgekit.flows.gating.gate import gate_device
from edgekit.flows.gating.gated import Gated, GateRequest
from edgekit.flows.gating.shelf import Shelf
from edgekit.flows.measuring.floor import floor_of
from edgekit.flows.workspace import Workspace


def save_baseline(
    name: str, request: GateRequest, entry: DeviceEntry, target: Target, shelf: Shelf, *, tools: Workspace
) -> tuple[Gated, dict[str, Any]]:
    """Measure a build on a device and keep it as what later builds are held against.

    Times of a disturbed device are kept with their flags: a gate measures the baseline's artifact anew, and never
    judges by them.

    Args:
        name: of the baseline.
        request: the build.
        entry: the device.
        target: its kind, with the budgets that hold there.
        shelf: where baselines lie.
        tools: scratch folder, cache, listener.

    Returns:
        What was measured, and the document that `edgekit baseline save --json` prints.

    Raises:
        GateFailedError: it breaks a budget itself.
        StorageError, InputError: it cannot be written; a baseline that was there stays.
    """
    gated = gate_device(request, entry, target, Allowances(), baseline=None, tools=tools)
    checks = tuple(finding_document(finding, FailOn()) for finding in gated.findings)
    _refuse(name, gated, checks)
    subject = gated.subject
    artifact = subject.artifact()
    baseline = Baseline(
        name=name,
        device=entry.name,
        created_utc=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        artifact=KeptArtifact(
            name=subject.name.encode(errors="backslashreplace").decode(),  # a file's name need not be UTF-8
            digest=subject.digest,
            size_bytes=subject.size_bytes,
            format=subject.format,
            runtime=subject.runtime,
            inputs=subject.inputs,
            outputs=subject.outputs,
        ),
        setting=gated.setting,
        floor=None if gated.measurement is None else floor_of(gated.measurement),
        answers=gated.answers,
        measurement=dict(gated.profile) | _raw(gated.measurement),
        checks=checks,
    )
    path = shelf.write(baseline, artifact.path)
    return gated, saved_document(baseline, path, gated.profile)


def _raw(measurement: Measurement | None) -> dict[str, Any]:
    return {} if measurement is None else {"measurement": asdict(measurement)}


def saved_document(baseline: Baseline, path: Path, profile: Mapping[str, Any]) -> dict[str, Any]:
    """What `edgekit baseline save --json` prints: the file without raw samples and answers."""
    return listed(baseline) | {
        "schema": "edgekit.saved_baseline/1",
        "path": str(path),
        "checks": list(baseline.checks),
        "measurement": dict(profile),
    }


def listed(baseline: Baseline) -> dict[str, Any]:
    """A baseline in a list."""
    answers, latency = baseline.answers, baseline.measurement["latency_ns"]
    return {
        "name": baseline.name,
        "device": baseline.device,
        "target": baseline.setting.target,
        "created_utc": baseline.created_utc,
        "artifact": {"name": baseline.artifact.name, "sha256": baseline.artifact.digest},
        "size_bytes": baseline.artifact.size_bytes,
        "floor": baseline.floor,
        "latency_ns": None if latency is None else latency["median_of_processes"],
        "accuracy": None if answers is None else {"metric": answers.metric, "value": answers.value, "n": answers.n},
        "validity": baseline.measurement["validity"],
        "problem": None,
    }


def _refuse(name: str, gated: Gated, checks: tuple[dict[str, Any], ...]) -> None:
    failed = [finding.check for finding in gated.findings if finding.check.outcome is Outcome.FAIL]
    if failed:
        said = "; ".join(f"{check.metric} is {check.value:g}, the limit is {check.limit:g}" for check in failed)
        raise GateFailedError(
            f"{gated.subject.name} fails its own gate on {gated.entry.name}: {said}; {name} was not saved",
            hint="mend the model, or raise the budget in edgekit.toml",
            checks=list(checks),
        )
