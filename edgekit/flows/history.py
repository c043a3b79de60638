"""How a model's latency on a device went from run to run, and where it jumped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.core.measurement import Validity
from edgekit.core.regression import margin_of
from edgekit.core.steps import find_steps
from edgekit.flows.measuring.floor import kept_floor
from edgekit.store.results import ResultStore, StoredRun, default_path

NOTE = (
    "a step is an alarm, not a verdict: the runs are of different sessions; "
    "measure the two artifacts again in turn: edgekit compare OLD NEW --device NAME"
)


@dataclass(frozen=True, kw_only=True, order=True)
class LineKey:
    """What stays the same along a line: only the artifact's bytes may change (edgekit-bench/1, D12).

    Attributes:
        device: name.
        model: name of the model that the artifacts were made from.
        recipe: "" for a model that ran as it was given.
        target: name.
        environment: fingerprint of machine, runtime and plan; a new one begins a new line.
    """

    device: str
    model: str
    recipe: str
    target: str
    environment: str

    @property
    def name(self) -> str:
        """For people."""
        return " ".join(filter(None, (self.model, self.recipe, self.target)))


def history(*, device: str | None = None) -> dict[str, Any]:
    """All lines with their steps.

    Args:
        device: only this one; None takes all.

    Returns:
        The document that `edgekit report --history --json` prints; the points of a line are in the order of time. A
        point that is INVALID is shown and takes no part in the search for steps.
    """
    lines: dict[LineKey, list[dict[str, Any]]] = {}
    for run in reversed(ResultStore(default_path()).find(device=device)):
        if (found := _point(run)) is not None:
            key, point = found
            lines.setdefault(key, []).append(point)
    return {
        "schema": "edgekit.history/1",
        "lines": [_line(key, lines[key]) for key in sorted(lines)],
        "note": NOTE,
    }


def _line(key: LineKey, points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    margin = margin_of(kept_floor(key.device, key.environment))
    believed = [point for point in points if str(Validity.INVALID) not in point["flags"]]
    steps = find_steps([point["median_ns"] for point in believed], margin=margin)
    return {
        "device": key.device,
        "line": key.name,
        "model": key.model,
        "recipe": key.recipe or None,
        "target": key.target or None,
        "environment_sha256": key.environment,
        "margin": margin,
        "points": list(points),
        "steps": [{"run_id": believed[step.at]["run_id"], "ratio": step.ratio} for step in steps],
    }


def _point(run: StoredRun) -> tuple[LineKey, dict[str, Any]] | None:
    """A run's place in a line; None for one that measured no latency, or does not tell of what, as older ones do."""
    document = run.document
    profile = _mapping(document.get("profile")) or document
    steady = _mapping(_mapping(profile.get("phases")).get("steady"))
    median_ns, environment = steady.get("value_ns"), profile.get("environment_sha256")
    model = _text(document.get("model")) or _text(_mapping(document.get("source")).get("path"))
    if run.device is None or not median_ns or not environment or not model:
        return None
    key = LineKey(
        device=run.device,
        model=model,
        recipe=_text(document.get("recipe")),
        target=_text(document.get("target")),
        environment=environment,
    )
    return key, {
        "run_id": run.run_id,
        "created_utc": run.created_utc,
        "median_ns": median_ns,
        "ci95": steady.get("ci95"),
        "flags": list(profile.get("validity", ())),
        "artifact_sha256": run.artifact_digest,
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
