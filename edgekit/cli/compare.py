"""edgekit compare: a float model and its compressed artifact on the same inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import PATH, choose, data_options, metric_option, project_options, target_options


@click.command()
@click.argument("float_model", metavar="FLOAT", type=PATH)
@click.argument("artifact", type=PATH)
@click.option("--layers", is_flag=True, help="Compare layer by layer too, on real inputs.")
@click.option("--data", help="Real inputs, with labels for the accuracies; the same as --eval-data.")
@target_options
@data_options
@metric_option
@project_options
@with_output
def command(
    float_model: Path,
    artifact: Path,
    layers: bool,
    data: str | None,
    target: str | None,
    recipe: str | None,
    config: Path | None,
    console: Output,
    **flags: Any,
) -> None:
    """Compare ARTIFACT, a bundle or a .tflite, with the FLOAT model that it was made from.

    Says what each weighs, what it runs on besides a CPU, how far the answers are from each other, and with --layers
    which layers the error comes from, the worst first; edgekit report --html draws that.
    """
    from edgekit.config.targets import load_target
    from edgekit.flows.compare import compare_models
    from edgekit.flows.record import keep_run

    chosen = choose(config, target=target, recipe=recipe)
    kind = chosen.target() if chosen.settings.target else load_target("host", project_dir=chosen.project_dir)
    given = chosen.dataset(data or flags["eval_data"], "evaluation", flags)
    with keep_run() as run, console.progress() as on_event:
        document = run.keep(
            compare_models(
                float_model, artifact, kind, given, layers=layers, metric=chosen.metric(flags), on_event=on_event
            )
        )

    def draw() -> None:
        from edgekit.cli import _render

        _render.page(document)

    console.show(document, draw)
