"""What `edgekit report --history` draws for people, within 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from edgekit.cli._output import shown
from edgekit.cli._render import table
from edgekit.core.units import format_ns

_LAST = 20


def history(document: Mapping[str, Any]) -> None:
    """Each line's last runs, oldest first, with the steps beside them."""
    for line in document["lines"]:
        steps = {step["run_id"]: step["ratio"] for step in line["steps"]}
        rows = [_row(point, steps.get(point["run_id"])) for point in line["points"][-_LAST:]]
        table(f"{line['line']} on {line['device']}", ("run", "median", "95 % interval", "artifact", ""), rows)
        left_out = len(line["points"]) - len(rows)
        earlier = f"; {left_out} earlier runs: --json, --export" if left_out else ""
        click.echo(f"environment {line['environment_sha256'][:12]}, margin {line['margin']:.0%}{earlier}")
        click.echo()
    if not document["lines"]:
        click.echo("no run tells of what it measured a latency: edgekit profile MODEL --device NAME")
    elif any(line["steps"] for line in document["lines"]):
        click.echo(f"note: {document['note']}", err=True)


def _row(point: Mapping[str, Any], step: float | None) -> tuple[str, ...]:
    ends = point["ci95"]
    interval = f"{format_ns(ends[0])} to {format_ns(ends[1])}" if ends else "one process"
    told = [] if step is None else [f"STEP {step - 1:+.1%}"]
    told += [flag for flag in point["flags"] if flag != "VALID"]
    return (
        shown(point["run_id"]),
        format_ns(point["median_ns"]),
        interval,
        shown((point["artifact_sha256"] or "")[:8]),
        " ".join(map(shown, told)),
    )
