"""edgekit rollback: the previous release becomes active again."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose, device_option, project_options


@click.command()
@device_option
@click.option("--to", help="Digest of the release; the first digits are enough when only one has them.")
@project_options
@with_output
def command(device: str | None, to: str | None, config: Path | None, console: Output) -> None:
    """Make the previous release of a device active again; nothing is sent."""
    from edgekit.flows.status import roll_back

    entry = choose(config, device=device).device()
    with console.progress() as on_event:
        document = roll_back(entry, to=to, on_event=on_event)

    def draw() -> None:
        click.echo(f"active  {document['active']} on {entry.name}")

    console.show(document, draw)
