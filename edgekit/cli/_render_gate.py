"""What `edgekit gate` and `edgekit baseline` draw for people, within 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from edgekit.cli._output import shown
from edgekit.cli._render import table
from edgekit.core.units import format_bytes, format_ns
from edgekit.report.gate_markdown import amount, change, label

_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def gate(document: Mapping[str, Any]) -> None:
    """Each device's checks, the reason of what did not pass, then the verdict."""
    for device in document["devices"]:
        checks = [check for check in document["checks"] if check["device"] == device["device"]]
        rows = [
            (label(check), amount(check, "baseline"), amount(check, "value"), change(check), amount(check, "limit"),
             check["outcome"])
            for check in checks
        ]  # fmt: skip
        emulated = " (emulated)" if device["provenance"] == "emulated" else ""
        table(f"{device['device']}{emulated}", ("check", "baseline", "build", "change", "limit", "outcome"), rows)
        for check in checks:
            if check["outcome"] != "pass":
                left_out = " (does not count)" if check["counts_as"] is None else ""
                click.echo(shown(f"{label(check)}{left_out}: {check['reason']}"))
        for flag in device["flags"]:
            click.echo(f"note: the build's measurement is {flag}", err=True)
        click.echo()
    against = f" against {document['baseline']}" if document["baseline"] else ""
    verdict = click.style(document["verdict"], fg=_COLOURS[document["verdict"]], bold=True)
    click.echo(f"gate{shown(against)}: {verdict}")


def saved(document: Mapping[str, Any]) -> None:
    """What was kept, and where."""
    table(f"baseline {document['name']} on {document['device']}", ("", ""), list(_facts(document).items()))
    for doubt in document["measurement"].get("doubts", ()):
        click.echo(shown(f"note: {doubt['flag']}: {doubt['reason']}"), err=True)
    click.echo(shown(f"saved {document['path']}"))


def baselines(document: Mapping[str, Any]) -> None:
    """One line a baseline and device."""
    rows = []
    for entry in document["baselines"]:
        if entry["problem"]:
            rows.append((entry["name"], entry["device"], f"damaged: {entry['problem']}", "", "", ""))
            continue
        facts, digest = _facts(entry), entry["artifact"]["sha256"][:12]
        rows.append((entry["name"], entry["device"], digest, facts["size"], facts["median"], facts["accuracy"]))
    if rows:
        table("", ("baseline", "device", "artifact", "size", "median", "accuracy"), rows)
    else:
        click.echo(shown(f"there are no baselines in {document['folder']}"))


def _facts(entry: Mapping[str, Any]) -> dict[str, str]:
    accuracy, floor = entry["accuracy"], entry["floor"]
    median = "not measured" if entry["latency_ns"] is None else format_ns(entry["latency_ns"])
    flags = [flag for flag in entry["validity"] if flag != "VALID"]
    return {
        "model": f"{entry['artifact']['name']} {entry['artifact']['sha256'][:12]}",
        "size": format_bytes(entry["size_bytes"]),
        "median": " ".join([median, *flags]),
        "noise floor": "not known: too few processes, or disturbed" if floor is None else f"{floor:.1%}",
        "accuracy": "–" if accuracy is None else f"{accuracy['value']:.4g} {accuracy['metric']}",
        "saved": entry["created_utc"],
    }
