"""The curve of a sustained run: what the machine still does after minutes of work, and when it gave in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from edgekit.core.measurement import Conditions, Measurement, Plan, ProcessRun
from edgekit.core.statistics import BOOTSTRAP_RESAMPLES
from edgekit.flows.measuring import looks

END_S = 30.0
"""The first and the last so many seconds are held against each other (edgekit-bench/1, D7)."""

_SLOWER = 1.10
_FREQUENCY = 0.95


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """A window with its samples; seconds are those at its end, since the first call."""

    seconds: float
    median_ns: float
    conditions: Conditions


def sustained_document(measurement: Measurement) -> dict[str, Any] | None:
    """The curve of the first process; None for a run without windows."""
    run = measurement.runs[0] if measurement.runs else None
    stretches = [] if run is None else list(_stretches(run, measurement.plan.window_s or 0.0))
    if not stretches:
        return None
    return {
        "seconds": [one.seconds for one in stretches],
        "median_ns": [one.median_ns for one in stretches],
        "temperature_c": [one.conditions.temperature_c for one in stretches],
        "frequency_khz": [looks.fastest_khz(one.conditions) for one in stretches],
        "throttled": [one.conditions.throttled for one in stretches],
        "last_over_first": _last_over_first(stretches, measurement.plan),
        "time_to_throttle_s": _time_to_throttle(stretches, run),
    }


def _stretches(run: ProcessRun, window_s: float) -> Iterator[_Stretch]:
    done = 0
    for window in run.windows:
        samples = run.samples_ns[done : done + window.samples]
        done += window.samples
        if samples:
            since_first_window = (window.conditions.monotonic_ns - run.windows[0].conditions.monotonic_ns) / 1e9
            yield _Stretch(
                seconds=window_s + since_first_window, median_ns=median(samples), conditions=window.conditions
            )


def _last_over_first(stretches: Sequence[_Stretch], plan: Plan) -> dict[str, Any]:
    """Ratio of the medians of the windows of both ends, with a bootstrap interval over windows; above 1 is slower."""
    whole, half_window_s = stretches[-1].seconds, (plan.window_s or 0.0) / 2
    end_s = min(END_S, whole / 2)
    first = np.array([one.median_ns for one in stretches if one.seconds - half_window_s < end_s])
    last = np.array([one.median_ns for one in stretches if one.seconds - half_window_s > whole - end_s])
    if min(len(first), len(last)) < 2:
        return {"value": None, "ci95": None, "reason": "fewer than two windows at an end"}
    generator = np.random.default_rng(plan.seed)
    drawn = [
        np.median(side[generator.integers(0, len(side), size=(BOOTSTRAP_RESAMPLES, len(side)))], axis=1)
        for side in (first, last)
    ]
    low, high = np.percentile(drawn[1] / drawn[0], [2.5, 97.5])
    return {"value": float(np.median(last) / np.median(first)), "ci95": [float(low), float(high)], "reason": None}


def _time_to_throttle(stretches: Sequence[_Stretch], run: ProcessRun | None) -> float | None:
    """When the firmware said so, the cores ran 5 % slower, or a window took 10 % longer than the first; None: never."""
    start = (run.before if run else None) or stretches[0].conditions
    frequencies = [khz for one in stretches if (khz := looks.fastest_khz(one.conditions)) is not None]
    for one in stretches:
        khz = looks.fastest_khz(one.conditions)
        if (
            looks.throttling(start, one.conditions)
            or (khz is not None and khz < _FREQUENCY * max(frequencies))
            or one.median_ns > _SLOWER * stretches[0].median_ns
        ):
            return one.seconds
    return None
