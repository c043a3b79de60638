"""edgekit evaluate: accuracy on a device over a whole data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, offline_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import (
    PATH,
    SECONDS,
    choose,
    data_options,
    device_option,
    metric_option,
    project_options,
    target_options,
)
from edgekit.core.errors import UsageError


@click.command()
@model_argument
@target_options
@device_option
@data_options
@metric_option
@click.option("--reference", type=PATH, help="A float .tflite to compare with, run here.")
@click.option("--timeout", default=3600.0, type=SECONDS, help="Limit for the whole set, in seconds.")
@offline_option
@project_options
@with_output
def command(
    model: Path | None,
    target: str | None,
    device: str | None,
    recipe: str | None,
    config: Path | None,
    reference: Path | None,
    timeout: float,
    offline: bool,
    console: Output,
    **flags: Any,
) -> None:
    """Run a whole data set through MODEL on a device; without MODEL through what is active there."""
    from edgekit.flows.documents import evaluation_document
    from edgekit.flows.evaluate import evaluate_model
    from edgekit.flows.record import keep_run

    chosen = choose(config, target=target, device=device, recipe=recipe)
    entry = chosen.device()
    data = chosen.dataset(flags["eval_data"], "evaluation", flags)
    if data is None:
        raise UsageError("there is nothing to evaluate with", hint="give --eval-data")
    with keep_run() as run, console.progress() as on_event:
        _, evaluation = evaluate_model(
            model,
            entry,
            chosen.target(device=entry),
            data,
            metric=chosen.metric(flags),
            reference=reference,
            timeout_s=timeout,
            offline=offline,
            on_event=on_event,
        )
        document = run.keep(evaluation_document(evaluation))

    def draw() -> None:
        from edgekit.cli import _render

        _render.run_in_full({"schema": document["schema"], "evaluation": document})

    console.show(document, draw)
