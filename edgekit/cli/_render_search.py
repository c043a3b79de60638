"""What `edgekit search` draws for people, within 80 columns: the front, what to pick, what stood in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from edgekit.cli._output import shown
from edgekit.cli._render import table
from edgekit.core.units import format_ns
from edgekit.report import search_wording as wording

_NONE = "\N{EN DASH}"
_MOST_COLUMNS = 4
"""Figures of a point that fit beside its settings."""

_REASONS = 3
"""So many different reasons of trials that failed are shown."""


def search(document: Mapping[str, Any]) -> None:
    """The front, what to pick of it, and how the trials ended."""
    points = document["front"]
    if points:
        _front(document, points)
        click.echo(shown(_counts(document)))
        for line in _excluded(document):
            click.echo(shown(line))
    for line in _failures(document["tried"]):
        click.echo(shown(line))
    for device in document["devices"]:
        if device["left_out"]:
            click.echo(shown(f"note: {device['name']} was left out: {device['left_out']}"), err=True)
    for line in document["warnings"]:
        click.echo(shown(f"note: {line}"), err=True)


def picks(document: Mapping[str, Any]) -> None:
    """The commands that deploy the points which most people want."""
    if not document["front"]:
        return
    click.echo()
    command = {point["trial"]: point["deploy"] for point in document["front"]}
    of_trial: dict[int, list[str]] = {}
    for word, trial in document["picks"].items():
        of_trial.setdefault(trial, []).append(word)
    for trial, words in of_trial.items():
        text = command[trial].replace(f"--pick {trial}", f"--pick {words[0]}", 1)
        click.echo(shown(f"{', '.join(words)} (trial {trial}):\n  {text}"))
    click.echo(shown(f"all points, with their commands: {document['study']}/search.html"))


def _front(document: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> None:
    is_share = document["metric"]["is_share"]
    goals = [goal["metric"] for goal in document["goals"]]
    known = {metric for point in points for metric in point["values"]}
    extra = [metric for metric in wording.LABELS if metric in known and metric not in goals]
    metrics = [*goals, *extra][:_MOST_COLUMNS]
    common = wording.shared([point["params"] for point in points])
    rows = [
        (
            str(point["trial"]),
            *(_amount(metric, point["values"].get(metric), is_share=is_share) for metric in metrics),
            _settings(point, common),
        )
        for point in points
    ]
    count = "1 point" if len(points) == 1 else f"{len(points)} points"
    emulated = ", emulated" if document["provenance"] == "emulated" else ""
    title = f"{document['target']}{emulated}: {count} that nothing tried beats"
    table(title, ("trial", *map(wording.label, metrics), "settings"), rows)
    if common:
        click.echo(shown(f"all: {wording.settings(common)}"))
    for point in points:
        if point["bundle"] is None and point["bundle_reason"] and not document["interrupted"]:
            click.echo(shown(f"note: trial {point['trial']} has no bundle: {point['bundle_reason']}"), err=True)


def _settings(point: Mapping[str, Any], common: Mapping[str, object]) -> str:
    own, words = wording.settings(point["params"], common), ", ".join(point["picks"])
    return " ".join(filter(None, (own, f"({words})" if words else ""))) or _NONE


def _amount(metric: str, value: float | None, *, is_share: bool) -> str:
    return _NONE if value is None else wording.amount(metric, value, is_share=is_share)


def _counts(document: Mapping[str, Any]) -> str:
    counts = [f"{count:,} {state}" for state, count in document["counts"].items() if state != "total" and count]
    trials = f"{document['counts']['total']:,} trials: {', '.join(counts)}" if counts else "no trial was begun"
    on_devices = (
        f"; devices and emulators worked for {format_ns(document['device_s'] * 1e9)}" if document["device_s"] else ""
    )
    return f"{trials}\nthis call took {format_ns(document['seconds'] * 1e9)}{on_devices}"


def _excluded(document: Mapping[str, Any]) -> list[str]:
    is_share = document["metric"]["is_share"]
    return [
        f"{wording.bound(limit['metric'], limit['most'], is_share=is_share)}"
        f"{_by(limit['source'])} excluded {limit['excluded']:,}"
        for limit in document["limits"]
        if limit["excluded"]
    ]


def _by(source: str) -> str:
    return f" ({source})" if source else ""


def _failures(tried: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why trials failed or were refused, each reason once, the commonest first."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for trial in tried:
        if trial["state"] in ("failed", "refused"):
            first = trial["reason"].strip().partition("\n")[0]
            reasons.setdefault((trial["state"], first), []).append(trial["trial"])
    ordered = sorted(reasons.items(), key=lambda item: -len(item[1]))
    lines = [
        f"{len(numbers):,} {state}{f', such as trial {numbers[0]}' if len(numbers) > 1 else f', trial {numbers[0]}'}: "
        f"{reason}"
        for (state, reason), numbers in ordered[:_REASONS]
    ]
    rest = sum(len(numbers) for _, numbers in ordered[_REASONS:])
    return [*lines, f"{rest:,} more failed or were refused for other reasons"] if rest else lines
