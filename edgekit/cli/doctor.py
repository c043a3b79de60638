"""edgekit doctor: what is missing, and the command that mends it."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose, device_option, project_options


@click.command()
@device_option
@project_options
@with_output
def command(device: str | None, config: Path | None, console: Output) -> None:
    """Say what works here, or on a device, and what to do about the rest."""
    from edgekit.flows.doctor import examine_device, examine_host

    with console.progress() as on_event:
        if device is None:
            findings = examine_host()
        else:
            chosen = choose(config, device=device)
            entry = chosen.device()
            known = chosen.settings.target or entry.target
            runtimes = list(chosen.target(device=entry).runtimes) if known else []
            findings = examine_device(entry, runtimes, on_event=on_event)
    document = {"schema": "edgekit.doctor/1", "findings": [vars(finding) for finding in findings]}

    def draw() -> None:
        from edgekit.cli import _render

        rows = [("ok" if f.ok else "missing", f.what, f.fact, "" if f.ok else f.remedy or "") for f in findings]
        _render.table("", ("", "what", "found", "to mend it"), rows)

    console.show(document, draw)
