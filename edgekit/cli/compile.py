"""edgekit compile: a model becomes a bundle for one target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, weights_option, with_output
from edgekit.cli._output import Output, gate
from edgekit.cli._settings import choose, compile_options, data_options, metric_option, project_options, target_options


@click.command(name="compile")
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
) -> int:
    """Compress MODEL for a target and write a bundle.

    MODEL is a Keras file, a SavedModel folder or a .tflite. Without --recipe the target's own is taken; int8 needs
    --calibration-data. With --eval-data the accuracy before and after is measured on this computer, and --max-drop
    holds it: sensitive layers stay in float, and recipes such as `smallest` choose how far each step goes.
    """
    from edgekit.core.units import format_bytes
    from edgekit.flows.compile import compile_model
    from edgekit.flows.documents import compilation_document
    from edgekit.flows.record import keep_run

    chosen = choose(config, target=target, recipe=recipe)
    request = chosen.compile_request(model, chosen.target(), flags)
    with keep_run() as run, console.progress() as on_event:
        document = run.keep(compilation_document(compile_model(request, on_event)))

    def draw() -> None:
        from edgekit.cli import _render

        _render.run_summary(document)
        _render.steps(document)
        _render.kept(document)
        _render.on_target(document)
        bundle = document["bundle"]
        sizes = f"{format_bytes(bundle['size_bytes'])}, {format_bytes(bundle['transfer_bytes'])} to transfer"
        click.echo(f"bundle  {bundle['path']}  {bundle['sha256'][:12]}  {sizes}")

    console.show(document, draw)
    return gate(document)
