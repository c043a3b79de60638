"""edgekit sensitivity: which layers lose accuracy in int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, weights_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose, compile_options, data_options, metric_option, project_options, target_options


@click.command()
@model_argument
@weights_option
@target_options
@compile_options
@data_options
@metric_option
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    recipe: str | None,
    config: Path | None,
    console: Output,
    **flags: Any,
) -> None:
    """Rank the layers of MODEL by what is lost when one of them at a time is quantized.

    The last step of the recipe that can leave layers in float decides how; steps before it are run first. With labels
    in --eval-data accuracy counts, without them the signal to noise of the output; edgekit report --html draws it.
    """
    from edgekit.flows.record import keep_run
    from edgekit.flows.sensitivity import rank_layers

    chosen = choose(config, target=target, recipe=recipe)
    request = chosen.compile_request(model, chosen.target(), flags)
    with keep_run() as run, console.progress() as on_event:
        document = run.keep(rank_layers(request, on_event))

    def draw() -> None:
        from edgekit.cli import _render

        _render.page(document)

    console.show(document, draw)
