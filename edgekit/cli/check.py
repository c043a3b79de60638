"""edgekit check: is everything in order, before any work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, weights_option, with_output
from edgekit.cli._output import Output, shown
from edgekit.cli._settings import choose, compile_options, data_options, metric_option, project_options, target_options


@click.command()
@model_argument
@weights_option
@target_options
@compile_options
@data_options
@metric_option
@click.option(
    "--calibration", is_flag=True, help="Look at the calibration data too: its samples, saturation, how many it takes."
)
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    recipe: str | None,
    config: Path | None,
    calibration: bool,
    console: Output,
    **flags: Any,
) -> None:
    """Check project, model, data, recipe and target together, and change nothing."""
    from edgekit.flows.check import check_request

    chosen = choose(config, target=target, recipe=recipe)
    request = chosen.compile_request(model, chosen.target(), flags)
    with console.progress() as on_event:
        document = check_request(request, on_event=on_event)
        if calibration:
            from edgekit.flows.calibration import check_calibration

            document["calibration"] = check_calibration(request, on_event=on_event)

    def draw() -> None:
        for line in document["checked"]:
            click.echo(shown(f"ok    {line}"))
        for line in document["warnings"]:
            click.echo(shown(f"note  {line}"))
        if calibration:
            _draw_calibration(document["calibration"])

    console.show(document, draw)


def _draw_calibration(document: dict[str, Any]) -> None:
    for finding in document["findings"]:
        click.echo(shown(f"note  calibration, {finding['rule']}: {finding['message']}"))
    if not document["findings"]:
        click.echo(f"ok    calibration data {document['data']}: nothing wrong in {document['samples']} samples")
    for point in document["curve"]:
        accuracy = point["accuracy"]
        if accuracy is not None:
            click.echo(f"ok    calibrated with {point['samples']} samples: {accuracy['value']:.2%} of {accuracy['n']}")
