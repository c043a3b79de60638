"""edgekit init: a first edgekit.toml."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import model_argument, with_output
from edgekit.cli._output import Output


@click.command()
@model_argument
@click.option("-t", "--target", help="Kind of machine.")
@click.option("--calibration-data", help="Samples to calibrate with.")
@click.option("--eval-data", help="Labelled samples to judge by.")
@click.option("--force", is_flag=True, help="Replace an edgekit.toml that is there.")
@with_output
def command(
    model: Path | None,
    target: str | None,
    calibration_data: str | None,
    eval_data: str | None,
    force: bool,
    console: Output,
) -> None:
    """Write an edgekit.toml into this folder; then `edgekit deploy` needs no flags."""
    from edgekit.flows.init import write_project

    path = write_project(
        Path.cwd(), model=model, target=target, calibration=calibration_data, evaluation=eval_data, force=force
    )
    document = {"schema": "edgekit.init/1", "path": str(path)}
    console.show(document, lambda: click.echo(f"wrote {path}"))
