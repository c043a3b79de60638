"""edgekit recipes: what can be done to a model."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose, project_options


@click.command()
@click.argument("name", required=False)
@project_options
@with_output
def command(name: str | None, config: Path | None, console: Output) -> None:
    """List recipes: what they do, and when to use them; with NAME show one with its steps."""
    from edgekit.flows.catalogue import recipe_document, recipe_documents

    project_dir = choose(config).project_dir
    documents = [recipe_document(name, project_dir)] if name else recipe_documents(project_dir)

    def draw_all() -> None:
        from edgekit.cli import _render

        _render.table("", ("recipe", "what it does", "when"), [(d["name"], d["summary"], d["when"]) for d in documents])

    def draw_one() -> None:
        from edgekit.cli import _render

        found = documents[0]
        _render.facts(found["name"], {"what it does": found["summary"], "when": found["when"]})
        for place, step in enumerate(found["steps"], start=1):
            parameters = {key: str(value) for key, value in step["params"].items()}
            _render.facts(f"step {place}: {step['pass']}", parameters or {"parameters": "as they come"})

    if name:
        console.show({"schema": "edgekit.recipe/1", **documents[0]}, draw_one)
    else:
        console.show({"schema": "edgekit.recipes/1", "recipes": documents}, draw_all)
