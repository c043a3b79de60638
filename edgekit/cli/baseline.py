"""edgekit baseline: what later builds are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._gate import BASELINES, gate_request, measuring_options, places, settings, shelf
from edgekit.cli._options import offline_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import PATH, choose, data_options, device_option, metric_option, project_options


@click.group(name="baseline")
def command() -> None:
    """Save, list and remove the baselines that edgekit gate holds builds against."""


@command.command()
@click.argument("name")
@click.argument("model", type=PATH)
@device_option
@click.option("-t", "--target", help="Kind of machine, where the device does not say.")
@BASELINES
@measuring_options
@data_options
@metric_option
@offline_option
@project_options
@with_output
def save(
    name: str,
    model: Path,
    device: str | None,
    target: str | None,
    baselines: Path | None,
    config: Path | None,
    console: Output,
    **flags: Any,
) -> None:
    """Measure MODEL on a device and keep it as NAME, in the place of what this device had under it.

    Refused where MODEL breaks a budget itself. Times are kept with their flags; each gate measures them anew.
    """
    from edgekit.flows.gating.run import keep_baseline
    from edgekit.flows.gating.shelf import checked_name
    from edgekit.flows.record import keep_run

    checked_name(name)
    chosen, (place,) = places(config, () if device is None else (device,), target)
    with keep_run() as run, console.progress() as on_event:
        document, measurement = keep_baseline(
            name,
            gate_request(model, chosen, flags),
            place,
            settings(chosen),
            shelf=shelf(chosen, baselines),
            on_event=on_event,
        )
        document = run.keep(document, measurement)

    def draw() -> None:
        from edgekit.cli._render_gate import saved

        saved(document)

    console.show(document, draw)


@command.command("list")
@BASELINES
@project_options
@with_output
def list_(baselines: Path | None, config: Path | None, console: Output) -> None:
    """List the baselines."""
    from edgekit.flows.gating.run import list_baselines

    document = list_baselines(shelf(choose(config), baselines).folder)

    def draw() -> None:
        from edgekit.cli._render_gate import baselines

        baselines(document)

    console.show(document, draw)


@command.command("rm")
@click.argument("name")
@device_option
@BASELINES
@project_options
@with_output
def remove(name: str, device: str | None, baselines: Path | None, config: Path | None, console: Output) -> None:
    """Forget the baseline NAME, on all devices or on one."""
    devices = shelf(choose(config), baselines).remove(name, device)
    document = {"schema": "edgekit.removed_baseline/1", "name": name, "devices": devices}
    console.show(document, lambda: click.echo(f"removed {name} of {', '.join(devices)}"))
