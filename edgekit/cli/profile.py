"""edgekit profile: latency and memory on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, offline_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._plan import plan_from, plan_options
from edgekit.cli._settings import (
    choose,
    data_options,
    device_option,
    project_options,
    target_options,
)


@click.command()
@model_argument
@target_options
@device_option
@data_options
@plan_options
@offline_option
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    device: str | None,
    recipe: str | None,
    config: Path | None,
    offline: bool,
    console: Output,
    **flags: Any,
) -> None:
    """Measure MODEL on a device: a bundle, or a .tflite, .ptl or .pte as it is; without MODEL what is active there.

    Inputs are random unless --eval-data gives real ones; the result says which.
    """
    from edgekit.flows.documents import profile_document
    from edgekit.flows.profile import profile_model
    from edgekit.flows.record import keep_run

    chosen = choose(config, target=target, device=device, recipe=recipe)
    entry = chosen.device()
    with keep_run() as run, console.progress() as on_event:
        _, measurement = profile_model(
            model,
            entry,
            chosen.target(device=entry),
            plan=plan_from(flags),
            data=chosen.dataset(flags["eval_data"], "evaluation", flags),
            offline=offline,
            on_event=on_event,
        )
        document = run.keep(profile_document(measurement), measurement)

    def draw() -> None:
        from edgekit.cli import _render

        _render.run_in_full({"schema": document["schema"], "profile": document})

    console.show(document, draw)
