"""edgekit devices release: a device that was fenced off takes part in rollouts again."""

from __future__ import annotations

import click

from edgekit.cli._output import Output, output_options, shown


@click.command()
@click.argument("name")
@click.option("--reason", default="", help="What was found and mended; has to be given, and is kept in the history.")
@output_options
def release(name: str, reason: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Let a quarantined device take part in rollouts again."""
    from edgekit.flows.fleet.quarantine import release_device

    document = release_device(name, reason)
    line = f"{name} takes part again; it was quarantined: {document['quarantined']}"
    Output(as_json=as_json, quiet=quiet, verbose=verbose).show(document, lambda: click.echo(shown(line)))
