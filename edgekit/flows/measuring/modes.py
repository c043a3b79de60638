"""The modes of edgekit-bench/1: each a plan that others can repeat by its name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from edgekit.core.errors import UsageError
from edgekit.core.measurement import BRIEF, Plan
from edgekit.core.statistics import PERCENTILE_MINIMUM

DEFAULT = "default"
MOST_PROCESSES = 40
"""Processes are added up to so many (D9)."""

_FULL = Plan(
    runtime="",
    mode=DEFAULT,
    processes=10,
    most_processes=MOST_PROCESSES,
    samples=100,
    min_seconds=3.0,
    timeout_s=300.0,
    steady_cap_s=30.0,
    sentinel=True,
    stages=True,
    operators=True,
    instructions=True,
    batch_ns=1_000_000,
    wait_s=60.0,
)
"""D6, D7 and D9: at least 1,000 calls and 30 s over all processes."""


def _brief() -> Plan:
    return Plan(runtime="", timeout_s=300.0)


def _quick() -> Plan:
    return replace(
        _FULL,
        processes=5,
        most_processes=None,
        min_seconds=2.0,
        steady_cap_s=5.0,
        operators=False,
        instructions=False,
    )


def _gate() -> Plan:
    return replace(_FULL, processes=20, min_seconds=2.0)


def _tail() -> Plan:
    return replace(_FULL, most_processes=None, batch_ns=None)


def _sustained() -> Plan:
    return replace(
        _FULL,
        processes=1,
        most_processes=None,
        min_seconds=600.0,
        steady_cap_s=None,
        operators=False,
        instructions=False,
        window_s=5.0,
    )


def _mlperf_tiny() -> Plan:
    return replace(_FULL, processes=5, most_processes=None, samples=10, min_seconds=10.0, own_input=True)


def _mobile() -> Plan:
    return replace(_FULL, processes=5, most_processes=None, samples=math.ceil(1024 / 5), min_seconds=60.0 / 5)


_MODES: dict[str, Callable[[], Plan]] = {
    BRIEF: _brief,
    "quick": _quick,
    DEFAULT: lambda: _FULL,
    "gate": _gate,
    "tail": _tail,
    "sustained": _sustained,
    "mlperf-tiny": _mlperf_tiny,
    "mobile": _mobile,
}
MODES = tuple(_MODES)
"""Names, shortest first."""


def plan_for(mode: str, *, tail: float = 99.0, seconds: float = 600.0) -> Plan:
    """The plan of a mode; the runtime is settled by the artifact.

    Args:
        mode: one of `MODES`.
        tail: for the mode tail, the percentile that there must be calls enough for; one of `PERCENTILE_MINIMUM`.
        seconds: for the mode sustained, how long.

    Raises:
        UsageError: there is no such mode or percentile.
    """
    if mode not in _MODES:
        raise UsageError(f"there is no mode {mode!r}", hint=f"known are {', '.join(MODES)}")
    plan = replace(_MODES[mode](), mode=mode)
    if mode == "tail":
        if tail not in PERCENTILE_MINIMUM:
            known = ", ".join(f"{percent:g}" for percent in PERCENTILE_MINIMUM)
            raise UsageError(f"nobody knows how many calls the percentile {tail:g} needs", hint=f"known are {known}")
        plan = replace(plan, samples=max(plan.samples, math.ceil(PERCENTILE_MINIMUM[tail] / plan.processes)))
    if mode == "sustained":
        plan = replace(plan, min_seconds=seconds, timeout_s=max(plan.timeout_s, 2 * seconds + 60))
    return plan
