"""How a verb measures: its options, and the plan that they describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from device_agents.linux.protocol import MAX_TIMES
from edgekit.cli._settings import SECONDS, Finite
from edgekit.core.errors import UsageError

if TYPE_CHECKING:
    from edgekit.core.measurement import Plan

F = TypeVar("F", bound=Callable[..., Any])


def plan_options(function: F) -> F:
    """How to measure."""
    for decorate in (
        click.option("--processes", default=5, type=click.IntRange(1, 100), help="Fresh processes."),
        click.option(
            "--num-runs", default=50, type=click.IntRange(1, MAX_TIMES), help="Counted calls per process, at least."
        ),
        click.option("--warmup-runs", default=10, type=click.IntRange(0, MAX_TIMES), help="Calls before them."),
        click.option("--min-seconds", default=0.5, type=Finite(0, 3600), help="Counted time per process, at least."),
        click.option("--num-threads", default=1, type=click.IntRange(1, 256), help="Threads of the runtime."),
        click.option("--process-timeout", default=300.0, type=SECONDS, help="Limit for one process, in seconds."),
    ):
        function = decorate(function)
    return function


def plan_from(flags: dict[str, Any]) -> Plan:
    """The plan that `plan_options` describe; the runtime is settled by the artifact."""
    from edgekit.core.measurement import Plan

    times = flags["processes"] * (flags["num_runs"] + flags["warmup_runs"])
    if times > MAX_TIMES:
        raise UsageError(
            f"--processes times --num-runs and --warmup-runs makes {times:,} calls; {MAX_TIMES:,} can be timed at once",
            hint="take fewer; --min-seconds makes short calls more without storing each",
        )
    return Plan(
        runtime="",
        threads=flags["num_threads"],
        processes=flags["processes"],
        warmup=flags["warmup_runs"],
        samples=flags["num_runs"],
        min_seconds=flags["min_seconds"],
        timeout_s=flags["process_timeout"],
        seed=flags.get("seed") or 0,
    )
