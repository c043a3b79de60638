"""edgekit gate: may this build go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli._gate import BASELINES, devices_option, gate_request, measuring_options, places, settings, shelf
from edgekit.cli._options import offline_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import PATH, data_options, metric_option, project_options
from edgekit.core.errors import UsageError


@click.command()
@click.argument("model", type=PATH)
@devices_option
@click.option("-t", "--target", help="Kind of machine, where a device does not say.")
@click.option("--baseline", help="Name of the baseline; default that of [gate] in edgekit.toml.")
@BASELINES
@click.option(
    "--fail-on", multiple=True, metavar="RULE",
    help="What counts: regression, budget, or a metric's name; inconclusive and noisy count open and disturbed "
    "figures as failed. May be repeated; default that of [gate], else everything.",
)  # fmt: skip
@click.option("--junit", type=PATH, help="Write JUnit XML, one case a check.")
@click.option("--markdown", type=PATH, help="Write Markdown for a pull request; - for stdout.")
@measuring_options
@data_options
@metric_option
@offline_option
@project_options
@with_output
def command(
    model: Path,
    devices: tuple[str, ...],
    target: str | None,
    baseline: str | None,
    baselines: Path | None,
    fail_on: tuple[str, ...],
    junit: Path | None,
    markdown: Path | None,
    config: Path | None,
    console: Output,
    **flags: Any,
) -> int:
    """Measure MODEL on its devices and hold it against budgets and a baseline: exit code 0, 1 or 11.

    MODEL is a bundle, or a .tflite, .ptl or .pte as it is. On each device the baseline's artifact and MODEL run in
    turn in one session. 1 means that a budget is exceeded or a regression is proven, 11 that a check is open.
    """
    from edgekit.core.gate import FailOn
    from edgekit.flows.gating.run import exit_code, run_gate
    from edgekit.flows.gating.written import write_junit, write_markdown
    from edgekit.flows.record import keep_run

    if console.as_json and str(markdown) == "-":
        raise UsageError("--markdown - and --json both want stdout", hint="give --markdown a file")
    chosen, found = places(config, devices, target)
    own = settings(chosen)
    rules = FailOn.parse(fail_on or own.fail_on)
    with keep_run() as run, console.progress() as on_event:
        document, measurement = run_gate(
            gate_request(model, chosen, flags),
            found,
            own,
            rules,
            baseline=baseline or own.baseline,
            shelf=shelf(chosen, baselines),
            on_event=on_event,
        )
        document = run.keep(document, measurement)
    if junit is not None:
        write_junit(document, junit)
    text = None if markdown is None else write_markdown(document, None if str(markdown) == "-" else markdown)

    def draw() -> None:
        if str(markdown) == "-":
            click.echo(text)
            return
        from edgekit.cli._render_gate import gate

        gate(document)

    console.show(document, draw)
    return exit_code(document)
