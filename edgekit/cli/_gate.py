"""What `edgekit gate` and `edgekit baseline` share: options, devices with their targets, and the request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli._plan import plan_from, plan_options
from edgekit.cli._settings import PATH, SECONDS, Chosen, Finite, choose
from edgekit.core.errors import UsageError

if TYPE_CHECKING:
    from edgekit.core.gate import GateSettings
    from edgekit.flows.gating.gated import GateRequest
    from edgekit.flows.gating.run import Place
    from edgekit.flows.gating.shelf import Shelf

F = TypeVar("F", bound=Callable[..., Any])

_TIMING = ("processes", "max_processes", "num_runs", "min_seconds")
"""Who chooses one of these wants times, on an emulator too."""

BASELINES = click.option(
    "--baselines", type=PATH, help="Folder of the baselines; default `baselines` beside edgekit.toml."
)


def measuring_options(function: F) -> F:
    """How a gate measures; what is left out is that of the mode `gate`."""
    for decorate in (
        click.option(
            "--max-processes", type=click.IntRange(1, 100), help="Double --processes up to so many while it is open."
        ),
        click.option(
            "--max-warmup", type=Finite(0, 3600), help="Seconds until a process that is not steady counts; default 30."
        ),
        click.option("--reference", type=PATH, help="A float .tflite, for the budget of the accuracy."),
        click.option("--timeout", default=3600.0, type=SECONDS, help="Limit for the evaluation set, in seconds."),
    ):
        function = decorate(function)
    return plan_options(function)


def devices_option(function: F) -> F:
    """--device, once for each device."""
    return click.option(
        "-d", "--device", "devices", multiple=True,
        help="Name from `edgekit devices list`, or a URL such as ssh://pi@host or local://; may be repeated.",
    )(function)  # fmt: skip


def places(config: Path | None, devices: Sequence[str], target: str | None) -> tuple[Chosen, list[Place]]:
    """The devices that were named, or the only one of the target, each with its target.

    Raises:
        UsageError: a device is named twice, or has no target.
    """
    from edgekit.flows.gating.run import Place

    chosen = choose(config, target=target, device=devices[0] if devices else None)
    found = []
    named: Sequence[str | None] = devices or (None,)
    for name in named:
        one = chosen if name is None else choose(config, target=target, device=name)
        entry = one.device()
        if target is None and entry.target is not None:  # a project's one target does not suit all of its devices
            one = choose(config, target=entry.target, device=name)
        kind = one.target(device=entry)
        found.append(Place(entry=entry, target=kind))
    names = [place.entry.name for place in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"the device {twice[0]!r} is named twice", hint="name each device once")
    return chosen, found


def settings(chosen: Chosen) -> GateSettings:
    """The project's table `[gate]`."""
    from edgekit.core.gate import GateSettings

    return chosen.project.gate if chosen.project else GateSettings()


def shelf(chosen: Chosen, folder: Path | None) -> Shelf:
    """Where baselines lie."""
    from edgekit.flows.gating.shelf import Shelf, default_folder

    return Shelf(folder=folder or default_folder(chosen.project.folder if chosen.project else None))


def gate_request(model: Path, chosen: Chosen, flags: dict[str, Any]) -> GateRequest:
    """What is gated, and how it is measured."""
    from edgekit.flows.gating.gated import GateRequest

    plan = replace(plan_from(flags, mode="gate"), operators=False, stages=False)  # no check needs them
    if flags["max_warmup"] is not None:
        plan = replace(plan, steady_cap_s=flags["max_warmup"])
    if flags["max_processes"] is not None:
        plan = replace(plan, most_processes=max(plan.processes, flags["max_processes"]))
    return GateRequest(
        model=model,
        plan=plan,
        data=chosen.evaluation(flags),
        metric=chosen.metric(flags),
        reference=flags["reference"],
        timeout_s=flags["timeout"],
        offline=flags["offline"],
        times_emulators=any(flags[name] is not None for name in _TIMING),
    )
