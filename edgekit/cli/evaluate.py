"""edgekit evaluate: accuracy on a device over a whole data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._judging import drop_options, exit_code
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
@click.option("--reference", type=PATH, help="The float model to compare with on the same samples, run here.")
@drop_options
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
    max_drop: float | None,
    confidence: float,
    timeout: float,
    offline: bool,
    console: Output,
    **flags: Any,
) -> int:
    """Run a whole data set through MODEL on a device; without MODEL through what is active there.

    With --reference the loss is judged on the same samples, as a whole and class by class. With --max-drop too, the
    exit code is 1 for a model that lost more, and 11 where the samples are too few to tell.
    """
    from edgekit.flows.documents import evaluation_document
    from edgekit.flows.evaluate import evaluate_model
    from edgekit.flows.record import keep_run

    chosen = choose(config, target=target, device=device, recipe=recipe)
    entry = chosen.device()
    data = chosen.dataset(flags["eval_data"], "evaluation", flags)
    if data is None:
        raise UsageError("there is nothing to evaluate with", hint="give --eval-data")
    if max_drop is not None and reference is None:
        raise UsageError("--max-drop is a drop against another model", hint="give the float model with --reference")
    with keep_run() as run, console.progress() as on_event:
        _, evaluation = evaluate_model(
            model,
            entry,
            chosen.target(device=entry),
            data,
            metric=chosen.metric(flags),
            reference=reference,
            max_drop=max_drop,
            confidence=confidence,
            timeout_s=timeout,
            offline=offline,
            on_event=on_event,
        )
        document = run.keep(evaluation_document(evaluation))

    def draw() -> None:
        from edgekit.cli import _render

        _render.run_in_full({"schema": document["schema"], "evaluation": document})

    console.show(document, draw)
    paired = document["paired"]
    return 0 if max_drop is None or paired is None else exit_code(paired["outcome"])
