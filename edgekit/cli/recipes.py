"""edgekit recipes: what can be done to a model."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._output import Output, output_options
from edgekit.cli._settings import choose, project_options


@click.command()
@project_options
@output_options
def command(config: Path | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """List recipes: what they do, and when to use them."""
    from edgekit.flows.catalogue import recipe_documents

    output = Output(as_json=as_json, quiet=quiet, verbose=verbose)
    documents = recipe_documents(choose(config).project_dir)

    def draw() -> None:
        from edgekit.cli import _render

        _render.table("", ("recipe", "what it does", "when"), [(d["name"], d["summary"], d["when"]) for d in documents])

    output.show({"schema": "edgekit.recipes/1", "recipes": documents}, draw)
