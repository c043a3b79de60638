"""edgekit status: what is on a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose, device_option, project_options


@click.command()
@device_option
@project_options
@with_output
def command(device: str | None, config: Path | None, console: Output) -> None:
    """Show the active and the previous release of a device, its space and its runtimes."""
    from edgekit.core.units import format_bytes
    from edgekit.flows.status import device_status

    entry = choose(config, device=device).device()
    with console.progress() as on_event:
        document = device_status(entry, on_event=on_event)

    def draw() -> None:
        from edgekit.cli import _render

        working = [
            f"{name} {', '.join(facts['versions'].values())}"
            for name, facts in document["runtimes"].items()
            if facts["ok"]
        ]
        _render.facts(
            entry.name,
            {
                "active": document["active"] or "nothing",
                "previous": document["previous"] or "nothing",
                **_more(document),
                "free": f"{format_bytes(document['free_bytes'])} of {format_bytes(document['total_bytes'])}",
                "runtimes": "; ".join(working) or "none known; edgekit deploy installs what it needs",
                "locked": "no" if document["locked_by"] is None else f"by process {document['locked_by']['pid']}",
                "agent": document["agent"],
            },
        )
        for warning in document["warnings"]:
            click.echo(f"note: {warning}")

    console.show(document, draw)


def _more(document: Mapping[str, Any]) -> dict[str, str]:
    """What is not so on most devices: a trial, pinned and failed releases, a lease, keys that it trusts."""
    left_s, lease, trusted = document["confirm_left_s"], document["lease"], document["trust"]
    found = {
        "on trial": None if left_s is None else f"for {left_s:.0f} s; edgekit devices confirm {document['device']}",
        "pinned": ", ".join(digest[:12] for digest in document["pinned"]),
        "failed": "; ".join(f"{digest[:12]}: {reason}" for digest, reason in document["failed"].items()),
        "trusts": None if trusted is None else "key " + ", ".join(one[:16] for one in trusted["keys"]),
        "leased": None if lease is None else f"to {lease['owner']} for {lease['expires_s']:.0f} s",
    }
    return {name: text for name, text in found.items() if text}
