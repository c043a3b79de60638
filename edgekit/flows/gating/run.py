"""The gate over all devices, and the documents that `edgekit gate` and `edgekit baseline` print."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.gate import FailOn, GateSettings
from edgekit.core.measurement import Measurement
from edgekit.core.target import Budgets, Target
from edgekit.core.verdict import Outcome
from edgekit.flows.gating.findings import corrected, finding_document, verdict
from edgekit.flows.gating.gate import gate_device
from edgekit.flows.gating.gated import Gated, GateRequest
from edgekit.flows.gating.saving import listed, save_baseline
from edgekit.flows.gating.shelf import Shelf
from edgekit.flows.gating.untold import OF_ONE_DEVICE, Untold
from edgekit.flows.workspace import workspace

EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 11}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a build is gated.

    Attributes:
        entry: the device.
        target: its kind.
    """

    entry: DeviceEntry
    target: Target


def run_gate(
    request: GateRequest,
    places: Sequence[Place],
    settings: GateSettings,
    rules: FailOn,
    *,
    baseline: str | None,
    shelf: Shelf,
    on_event: OnEvent = ignore,
) -> tuple[dict[str, Any], Measurement | None]:
    """Gate a build on every device.

    Args:
        request: the build.
        places: one or more.
        settings: budgets of targets, and what may become worse.
        rules: which findings count.
        baseline: its name; None holds the build against budgets alone.
        shelf: where baselines lie.
        on_event: listener.

    Returns:
        The document of schema edgekit.gate/1, and the raw samples where there is one device.

    Raises:
        UsageError: there is neither a baseline nor a budget, or a rule leaves nothing to check.
        InputError, VerificationError: a device has no such baseline, or it is damaged.
        EdgekitError: as `gate_device`, when not one device could be asked; else that is a check which is open.
    """
    targets = [replace(p.target, budgets=settings.budgets(p.target.name, p.target.budgets)) for p in places]
    if baseline is None and all(target.budgets == Budgets() for target in targets):
        raise UsageError(
            "there is nothing to hold the build against",
            hint="give --baseline NAME, or write budgets into edgekit.toml",
        )
    kept = [None if baseline is None else shelf.read(baseline, place.entry.name) for place in places]
    files = [None if one is None else (one, shelf.artifact(one)) for one in kept]
    found: list[Gated | Untold] = []
    with workspace(on_event) as tools:
        for place, target, held in zip(places, targets, files, strict=True):
            allow = settings.allowances(target.name)
            started = time.monotonic()
            try:
                found.append(gate_device(request, place.entry, target, allow, baseline=held, tools=tools))
            except OF_ONE_DEVICE as error:
                seconds = time.monotonic() - started
                found.append(Untold(entry=place.entry, target=target, error=error, seconds=seconds))
    gated = [one for one in found if isinstance(one, Gated)]
    if not gated:
        raise next(one.error for one in found if isinstance(one, Untold))
    return gate_document(found, rules, baseline), gated[0].measurement if len(found) == 1 else None


def gate_document(found: Sequence[Gated | Untold], rules: FailOn, baseline: str | None) -> dict[str, Any]:
    """What `edgekit gate --json` prints; of one device at least something must be known."""
    findings = corrected([finding for one in found for finding in one.findings])
    subject = next(one.subject for one in found if isinstance(one, Gated))
    return {
        "schema": "edgekit.gate/1",
        "verdict": str(verdict(findings, rules)),
        "checks": [finding_document(finding, rules) for finding in findings],
        "model": {"name": subject.name, "sha256": subject.digest, "size_bytes": subject.size_bytes},
        "baseline": baseline,
        "fail_on": sorted({*rules.chosen, *(["inconclusive"] * rules.inconclusive), *(["noisy"] * rules.noisy)}),
        "devices": [one.as_json() for one in found],
    }


def exit_code(document: dict[str, Any]) -> int:
    """0 for pass, 1 for fail, 11 for inconclusive."""
    return EXIT_CODES[Outcome(document["verdict"])]


def keep_baseline(
    name: str,
    request: GateRequest,
    place: Place,
    settings: GateSettings,
    *,
    shelf: Shelf,
    on_event: OnEvent = ignore,
) -> tuple[dict[str, Any], Measurement | None]:
    """Save a baseline; see `save_baseline`."""
    shelf.require_writable(name, place.entry.name)
    target = replace(place.target, budgets=settings.budgets(place.target.name, place.target.budgets))
    with workspace(on_event) as tools:
        gated, document = save_baseline(name, request, place.entry, target, shelf, tools=tools)
    return document, gated.measurement


def list_baselines(folder: Path) -> dict[str, Any]:
    """What `edgekit baseline list --json` prints; one that is damaged is listed with what is wrong with it."""
    entries = []
    for name, device, found in Shelf(folder=folder).read_all():
        if isinstance(found, EdgekitError):
            entries.append({"name": name, "device": device, "problem": found.message})
        else:
            entries.append(listed(replace(found, name=name)))
    return {"schema": "edgekit.baselines/1", "folder": str(folder), "baselines": entries}
