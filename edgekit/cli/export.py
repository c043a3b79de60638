"""edgekit export: a model as sources for a firmware's own build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, weights_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import (
    PATH,
    choose,
    data_options,
    metric_option,
    project_options,
    recipe_options,
    target_options,
)

FORMATS = ("c", "cmake", "arduino", "zephyr", "platformio", "tflm")


@click.command()
@model_argument
@weights_option
@target_options
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="c",
    help="Plain C, the layout of a build system, or tflm: the model as an array for TensorFlow Lite Micro.",
)
@click.option("--name", default="model", help="Prefix of the library's functions: a C identifier.")
@click.option("-o", "--output", type=PATH, help="The folder; default MODEL-TARGET.")
@recipe_options
@data_options
@metric_option
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    recipe: str | None,
    config: Path | None,
    form: str,
    name: str,
    output: Path | None,
    console: Output,
    **flags: Any,
) -> None:
    """Write MODEL as C for a microcontroller: library, header, an example, and a README with its exact figures.

    MODEL is compiled and proven on the emulated board first, as by `edgekit compile`; nothing is written that is not
    bit-exact. The target is a board, such as cortex_m4.
    """
    from edgekit.flows.export import export_model

    chosen = choose(config, target=target, recipe=recipe)
    request = chosen.compile_request(model, chosen.target(), flags | {"output": output})
    with console.progress() as on_event:
        document = export_model(request, form=form, name=name, on_event=on_event)

    def draw() -> None:
        from edgekit.cli import _render

        _render.on_target(document)
        for path, size_bytes in document["files"].items():
            click.echo(f"{size_bytes:>9,}  {Path(document['folder']) / path}")

    console.show(document, draw)
