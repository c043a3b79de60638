"""edgekit profile: latency and memory on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import model_argument, offline_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._plan import mode_options, plan_from, plan_options
from edgekit.cli._settings import (
    choose,
    data_options,
    device_option,
    project_options,
    target_options,
)
from edgekit.core.errors import UsageError


@click.command()
@model_argument
@target_options
@device_option
@data_options
@plan_options
@mode_options
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

    Fresh processes, one after the other, until the interval of the median is narrow enough; on an emulator as many as
    the mode begins with, unless --half-width is given. Inputs are random unless --eval-data gives real ones; the result
    says which, and everything else that speaks against it.
    """
    from edgekit.flows.board import profile_board
    from edgekit.flows.measured_document import profile_document
    from edgekit.flows.profile import profile_model
    from edgekit.flows.record import keep_run

    chosen = choose(config, target=target, device=device, recipe=recipe)
    entry = chosen.device()
    kind = chosen.target(device=entry)
    with keep_run() as run, console.progress() as on_event:
        plan = plan_from(flags, is_emulated=entry.is_emulated)
        data = chosen.dataset(flags["eval_data"], "evaluation", flags)
        if kind.board is not None:
            if model is None:
                raise UsageError("a board's program cannot be fetched back", hint="name the bundle that it runs")
            document = run.keep(profile_board(model, entry, kind, data=data, seed=plan.seed, on_event=on_event), None)
        else:
            subject, measurement = profile_model(
                model, entry, kind, plan=plan, data=data, offline=offline, on_event=on_event
            )
            of = {"model": subject.model, "recipe": subject.recipe, "target": kind.name}
            document = run.keep(profile_document(measurement) | of, measurement)

    def draw() -> None:
        from edgekit.cli import _render

        if kind.board is not None:
            _render.on_target(document)
        else:
            _render.run_in_full({"schema": document["schema"], "profile": document})

    console.show(document, draw)
