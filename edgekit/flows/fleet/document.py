"""A rollout as the JSON that `edgekit deploy --group NAME --json` prints and the store keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from edgekit.flows.fleet.member import Member, State
from edgekit.flows.fleet.order import Release
from edgekit.flows.fleet.rollout import Rolled, Rules, Wave, allowed_failures

SCHEMA = "edgekit.fleet/1"
COMPLETE, PARTIAL, STOPPED, PLANNED = "complete", "partial", "stopped", "planned"


def fleet_document(
    rolled: Rolled,
    rules: Rules,
    releases: Mapping[str, Release],
    *,
    name: str,
    chosen_by: str,
    planned: Sequence[Sequence[str]],
    seconds: float,
) -> dict[str, Any]:
    """The document.

    Args:
        rolled: what became of the fleet.
        rules: by which.
        releases: what the devices were to get, by target.
        name: of the rollout.
        chosen_by: how the devices were chosen, for people.
        planned: names of the devices by wave, as it was planned.
        seconds: from the first to the last device.
    """
    members = {member.device: member for member in rolled.members}
    found = Counter(member.state for member in rolled.members)
    return {
        "schema": SCHEMA,
        "outcome": _outcome(rolled),
        "reason": rolled.stopped or None,
        "fleet": {"name": name, "chosen_by": chosen_by, "devices": len(rolled.members)},
        "releases": [_release(release) for _, release in sorted(releases.items())],
        "plan": {
            "waves": [str(amount) for amount in rules.waves],
            "devices": [list(wave) for wave in planned],
            "max_failures": str(rules.max_failures),
            "allowed_failures": allowed_failures(rules, planned),
        },
        "counts": {str(state): found[state] for state in State},
        "attempts": sum(len(member.attempts) for member in rolled.members),
        "waves": [_wave(wave, members) for wave in rolled.waves],
        "devices": [member.as_json() for member in rolled.members],
        "seconds": seconds,
    }


def _outcome(rolled: Rolled) -> str:
    if rolled.stopped:
        return STOPPED
    is_complete = all(member.state is State.NEW and not member.counts for member in rolled.members)
    return COMPLETE if is_complete else PARTIAL


def _release(release: Release) -> dict[str, Any]:
    manifest = release.bundle.manifest
    return {
        "target": release.target.name,
        "model": manifest.facts.get("model_name"),
        "recipe": manifest.recipe,
        "sha256": release.bundle.digest,
        "path": str(release.bundle.path),
        "size_bytes": release.bundle.path.stat().st_size,
    }


def _wave(wave: Wave, members: Mapping[str, Member]) -> dict[str, Any]:
    own = [members[name] for name in wave.devices]
    return {
        **vars(wave),
        "devices": list(wave.devices),
        "stopped": wave.stopped or None,
        "latency_ns": _spread({member.device: member.latency_ns for member in own}, worst=max),
        "accuracy": _spread({member.device: member.accuracy for member in own}, worst=min),
    }


def _spread(figures: Mapping[str, float | None], *, worst: Any) -> dict[str, Any] | None:
    """The middle device and the worst one; None where nobody measured."""
    known = {name: value for name, value in figures.items() if value is not None}
    if not known:
        return None
    name = worst(known, key=lambda one: known[one])
    return {"median": median(known.values()), "worst": known[name], "device": name, "devices": len(known)}
