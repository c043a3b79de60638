"""How a verb measures: its options, and the plan that they describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from device_agents.linux.protocol import MAX_TIMES
from edgekit.cli._settings import SECONDS, Finite
from edgekit.cli._values import cores
from edgekit.core.errors import UsageError

if TYPE_CHECKING:
    from edgekit.core.measurement import Plan

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_S = 3600
_PLAN_FIELDS = {
    "processes": "processes", "num_runs": "samples", "warmup_runs": "warmup", "min_seconds": "min_seconds",
    "num_threads": "threads", "process_timeout": "timeout_s", "half_width": "half_width", "wait": "wait_s",
    "strict_env": "strict", "operators": "operators", "instructions": "instructions",
}  # fmt: skip
"""Flags and what they set in a plan; a flag that is not given leaves the mode's own value."""


def plan_options(function: F) -> F:
    """How to measure."""
    for decorate in (
        click.option("--processes", type=click.IntRange(1, 100), help="Fresh processes, exactly so many."),
        click.option("--num-runs", type=click.IntRange(1, MAX_TIMES), help="Counted calls per process, at least."),
        click.option("--warmup-runs", type=click.IntRange(0, MAX_TIMES), help="Calls before them, at least."),
        click.option("--min-seconds", type=Finite(0, _LONGEST_S), help="Counted time per process, at least."),
        click.option("--num-threads", type=click.IntRange(1, 256), help="Threads of the runtime, 1 if not given."),
        click.option("--process-timeout", type=SECONDS, help="Limit for one process, in seconds."),
    ):
        function = decorate(function)
    return function


def mode_options(function: F) -> F:
    """Modes of edgekit-bench/1, and what a verb that only measures lets one choose besides."""
    for decorate in (
        click.option(
            "--mode",
            default="default",
            help="brief, quick, default, gate, tail, sustained, mlperf-tiny or mobile: how long, and for which figure.",
        ),
        click.option("--tail", type=Finite(50, 99.9), help="Mode tail: calls enough for this percentile, 99 or 99.9."),
        click.option("--seconds", type=Finite(10, _LONGEST_S), help="Mode sustained: how long, 600 if not given."),
        click.option(
            "--half-width",
            type=Finite(0.0001, 1),
            help="Add processes until the median's interval is so narrow, 0.01 is +-1 %.",
        ),
        click.option("--wait", type=Finite(0, _LONGEST_S), help="Seconds to wait for a device that is hot."),
        click.option("--strict-env", is_flag=True, default=None, help="Measure nothing on a device that is not idle."),
        click.option("--cores", callback=cores, help="Cores to pin to, such as 1-3; all but the first if not given."),
        click.option("--operators/--no-operators", default=None, help="Time each operator."),
        click.option("--instructions/--no-instructions", default=None, help="Count instructions where that works."),
    ):
        function = decorate(function)
    return function


def plan_from(flags: dict[str, Any], *, mode: str = "brief", is_emulated: bool = False) -> Plan:
    """The plan that the options describe; the runtime is settled by the artifact.

    Args:
        flags: of `plan_options`, perhaps of `mode_options` too.
        mode: of a verb without `mode_options`.
        is_emulated: only --half-width adds processes then: however narrow, an emulator's time speaks of no device.
    """
    from dataclasses import replace

    from edgekit.flows.measuring.modes import plan_for

    chosen: dict[str, Any] = {key: flags[key] for key in ("tail", "seconds") if flags.get(key) is not None}
    plan = plan_for(flags.get("mode") or mode, **chosen)
    given = {field: flags[flag] for flag, field in _PLAN_FIELDS.items() if flags.get(flag) is not None}
    if "processes" in given or (is_emulated and "half_width" not in given):
        given["most_processes"] = None
    plan = replace(plan, **given, affinity=flags.get("cores") or (), seed=flags.get("seed") or 0)
    times = (plan.processes if plan.is_brief else 1) * (plan.samples + plan.warmup)
    if times > MAX_TIMES:
        raise UsageError(
            f"--processes times --num-runs and --warmup-runs makes {times:,} calls; {MAX_TIMES:,} can be timed at once",
            hint="take fewer; --min-seconds makes short calls more without storing each",
        )
    return plan
