"""edgekit compare: two models, two runs, or one artifact on a device and on this computer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli._judging import drop_options, exit_code
from edgekit.cli._options import offline_option, with_output
from edgekit.cli._output import Output
from edgekit.cli._plan import mode_options, plan_from, plan_options
from edgekit.cli._settings import (
    PATH,
    SECONDS,
    Chosen,
    choose,
    data_options,
    device_option,
    metric_option,
    project_options,
    target_options,
)

if TYPE_CHECKING:
    from edgekit.core.events import OnEvent
    from edgekit.core.measurement import Plan
    from edgekit.flows.record import Run

_INCONCLUSIVE = 11


@click.command()
@click.argument("first", metavar="A", type=PATH)
@click.argument("second", metavar="[B]", type=PATH, required=False)
@click.option("--layers", is_flag=True, help="Compare layer by layer too, on real inputs of this computer.")
@click.option("--drift", is_flag=True, help="Hold B, or A alone, on the device against this computer's kernels.")
@click.option("--data", help="Real inputs, with labels for the accuracies; the same as --eval-data.")
@target_options
@device_option
@data_options
@metric_option
@drop_options
@plan_options
@mode_options
@click.option("--timeout", default=3600.0, type=SECONDS, help="Limit for a whole set on the device, in seconds.")
@offline_option
@project_options
@with_output
def command(
    first: Path,
    second: Path | None,
    target: str | None,
    device: str | None,
    recipe: str | None,
    config: Path | None,
    console: Output,
    **flags: Any,
) -> int:
    """Compare A with B: what B costs, and what it saves.

    Two models: a float model and a bundle or .tflite made from it. Says what each weighs and runs on, how far the
    answers are apart, whether the accuracy held, and with --layers where the error comes from. With --device both run
    there in turn: latency, memory, instructions, operators, accuracy. With --drift the device's answers and layers are
    held against the default, built-in and reference kernels of this computer.

    Two runs: ids of `edgekit report --list`, or their first digits. What differs between them and forbids a verdict is
    named, and the exit code is then 11. With --max-drop it is 1 where B lost more accuracy, and 11 where that is open.
    """
    from edgekit.flows.record import keep_run

    with keep_run() as run, console.progress() as on_event:
        if second is not None and not first.exists() and not second.exists():
            document = run.keep(_runs(first, second, flags))
        else:
            chosen = choose(config, target=target, device=device, recipe=recipe)
            document = _models(chosen, first, second, flags, run, on_event)

    def draw() -> None:
        from edgekit.cli import _render

        _render.page(document)

    console.show(document, draw)
    return _exit_code(document, flags["max_drop"])


def _runs(first: Path, second: Path, flags: dict[str, Any]) -> dict[str, Any]:
    from edgekit.flows.comparing.runs import compare_runs
    from edgekit.flows.record import load_run

    runs = load_run(str(first)), load_run(str(second))
    return compare_runs(*runs, max_drop=flags["max_drop"], confidence=flags["confidence"])


def _models(
    chosen: Chosen, first: Path, second: Path | None, flags: dict[str, Any], run: Run, on_event: OnEvent
) -> dict[str, Any]:
    from edgekit.config.targets import load_target
    from edgekit.flows.comparing.on_device import Judgement
    from edgekit.flows.comparing.request import CompareRequest, compare
    from edgekit.flows.measured_document import profile_document

    entry = chosen.device() if chosen.settings.device is not None else None
    named = chosen.settings.target is not None or entry is not None
    request = CompareRequest(
        first=first,
        second=second,
        target=chosen.target(device=entry) if named else load_target("host", project_dir=chosen.project_dir),
        judgement=Judgement(
            data=chosen.dataset(flags["data"] or flags["eval_data"], "evaluation", flags),
            metric=chosen.metric(flags),
            max_drop=flags["max_drop"],
            confidence=flags["confidence"],
            timeout_s=flags["timeout"],
        ),
        entry=entry,
        plan=None if entry is None else _plan(flags),
        layers=flags["layers"],
        drift=flags["drift"],
        offline=flags["offline"],
    )
    document, pair = compare(request, on_event)
    if pair is None:
        return run.keep(document)
    kept = run.keep(profile_document(pair.first), pair.first)  # a run of its own: one run has the samples of one model
    return run.keep({**document, "first_run_id": kept["run_id"]}, pair.second)


def _plan(flags: dict[str, Any]) -> Plan:
    """As the options say; without --mode that of a gate, as fewer processes settle little."""
    source = click.get_current_context().get_parameter_source("mode")
    given = source is click.core.ParameterSource.COMMANDLINE
    return plan_from({**flags, "mode": flags["mode"] if given else "gate"})


def _exit_code(document: Mapping[str, Any], max_drop: float | None) -> int:
    """11 where a verdict was refused or the measurement is INVALID; that of the accuracy where a drop was allowed."""
    if document.get("refused") or document.get("latency_reason"):
        return _INCONCLUSIVE
    accuracy = document.get("accuracy")
    return 0 if max_drop is None or accuracy is None else exit_code(accuracy["outcome"])
