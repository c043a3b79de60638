"""edgekit variants: one model by several recipes, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, weights_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose, compile_options, data_options, metric_option, project_options


@click.command()
@model_argument
@weights_option
@click.option("-t", "--target", help="Kind of machine: a name from `edgekit targets`, or a TOML file.")
@click.option("--recipe", "recipes", multiple=True, help="A form of the model; may be given several times.")
@compile_options
@data_options
@metric_option
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    recipes: tuple[str, ...],
    config: Path | None,
    console: Output,
    **flags: Any,
) -> None:
    """Make MODEL by each --recipe and compare the forms: bytes, accuracy, agreement, and what falls back.

    Each form runs on this computer, in the runtime that the target has for it, over the same --eval-data. A form that
    cannot be made is a row with the reason.
    """
    from edgekit.config.recipes import load_recipe
    from edgekit.flows.record import keep_run
    from edgekit.flows.variants import compare_recipes

    chosen = choose(config, target=target)
    request = chosen.compile_request(model, chosen.target(), flags)
    named = [load_recipe(name, project_dir=chosen.project_dir) for name in recipes]
    with keep_run() as run, console.progress() as on_event:
        document = run.keep(compare_recipes(request, named, on_event=on_event))

    def draw() -> None:
        from edgekit.cli import _render

        _render.page(document)

    console.show(document, draw)
