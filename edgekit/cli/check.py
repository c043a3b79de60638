"""edgekit check: is everything in order, before any work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._output import Output, output_options
from edgekit.cli._settings import choose, compile_options, data_options, project_options, target_options


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path, readable=False))
@target_options
@compile_options
@data_options
@project_options
@output_options
def command(
    model: Path | None,
    target: str | None,
    recipe: str | None,
    config: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **flags: Any,
) -> None:
    """Check project, model, data, recipe and target together, and change nothing."""
    from edgekit.flows.check import check_request

    output = Output(as_json=as_json, quiet=quiet, verbose=verbose)
    chosen = choose(config, target=target, recipe=recipe)
    request = chosen.compile_request(model, chosen.target(), flags)
    with output.progress() as on_event:
        document = check_request(request, on_event=on_event)

    def draw() -> None:
        for line in document["checked"]:
            click.echo(f"ok    {line}")
        for line in document["warnings"]:
            click.echo(f"note  {line}")

    output.show(document, draw)
