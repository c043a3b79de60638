"""The device in the loop: an artifact is measured on a machine with an operating system, if it can reach the front."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from edgekit.core.errors import EdgekitError, MeasurementError
from edgekit.core.search.predictor import Prediction, can_reach_front, fit
from edgekit.core.search.space import Value
from edgekit.core.search.trial import Outcome, State
from edgekit.core.statistics import median_interval
from edgekit.core.units import format_ns
from edgekit.device.connect import connect
from edgekit.flows.inventory import inventory
from edgekit.flows.measuring.modes import plan_for
from edgekit.flows.profile import measure
from edgekit.flows.runtime import ensure_runtime
from edgekit.flows.subject import Subject

if TYPE_CHECKING:
    from edgekit.core.device_entry import DeviceEntry
    from edgekit.core.measurement import Measurement, Plan
    from edgekit.core.search.goals import Goal
    from edgekit.core.search.trial import Trial
    from edgekit.flows.searching.findings import Findings
    from edgekit.flows.searching.stages import Compiled
    from edgekit.flows.searching.tools import Tools

Point = Mapping[str, Value]

_PREDICTED = ("latency_ns", "instructions")
_FEATURES = ("macs", "size_bytes", "zip_bytes")
_CONFIDENCE = 0.9
"""Of the interval of a prediction; so its lower end is too high in one of twenty."""
_GAIN = 0.01
"""What a point has to be better by than one that is as good in all else: by less, nobody chooses it."""
_EMULATED_PROCESSES, _EMULATED_S = 2, 0.2
"""An emulator's times speak of no device, so that there are no more than an interval takes; its counts of instructions
are exact after one call."""


def prediction(
    found: Findings, params: Point, trials: Sequence[Trial], goals: Sequence[Goal]
) -> tuple[str, Prediction] | None:
    """What the device is expected to give, learned from what it gave before; None while too little is known.

    Args:
        found: of the trial so far.
        params: its point; choices by name, such as the aim of a compiler, tell what counts and bytes do not.
        trials: all others.
        goals: of the study.
    """
    metric = next((goal.metric for goal in goals if goal.metric in _PREDICTED), None)
    if metric is None or metric in found.values:
        return None
    known = [(trial.params, trial.outcome) for trial in trials if trial.outcome and metric in trial.outcome.measured]
    choices = sorted({choice for point, _ in known for choice in _choices(point)})
    if _choices(params) - set(choices):
        return None  # of a choice that was never measured nothing is known
    proxies = sorted({name for _, outcome in known for name in outcome.proxies if name.startswith("macs_")})
    predicted = []
    for told in ([], choices):  # few measurements bear few features: the one that is surer of this point is taken
        rows = [_features(outcome.values, outcome.proxies, point, proxies, told) for point, outcome in known]
        predictor = fit(rows, [outcome.values[metric] for _, outcome in known], confidence=_CONFIDENCE)
        if predictor is None:
            return None
        predicted.append(predictor.predict(_features(found.values, found.proxies, params, proxies, told)))
    return metric, min(predicted, key=lambda each: each.high - each.low)


def hopeless(found: Findings, params: Point, trials: Sequence[Trial], goals: Sequence[Goal]) -> Outcome | None:
    """The end of a trial that with 95 % confidence adds nothing of weight to the front, so that no device is asked."""
    expected = prediction(found, params, trials, goals)
    if expected is None:
        return None
    metric, told = expected
    best = {**found.values, metric: told.low * (1 + _GAIN)}
    if not all(goal.metric in best for goal in goals):
        return None
    costs = [goal.cost(best[goal.metric]) for goal in goals]
    measured = [
        [goal.cost(trial.outcome.values[goal.metric]) for goal in goals]
        for trial in trials
        if trial.state is State.COMPLETE and trial.outcome is not None and metric in trial.outcome.measured
    ]
    if can_reach_front(costs, measured):
        return None
    words = format_ns if metric.endswith("_ns") else "{:,.0f}".format
    return found.outcome(
        State.PRUNED,
        f"{metric} is expected at {words(told.value)} ({words(told.low)} at least): dominated, or better by less than "
        f"{_GAIN:.0%}",
    )


def device_stage(tried: Compiled, found: Findings, tools: Tools, stopped: Callable[[], bool]) -> None:
    """Measure on one of the search's devices, held by this trial alone, and leave nothing behind.

    Raises:
        NetworkError, DeviceError, LockedError, TrustError, StorageError: the device's fault, see `DevicePool.hold`.
        MeasurementError: the artifact crashed or hung there.
    """
    artifact, made = tried.artifacts[-1], tried.made
    runtime = made.request.target.runtime_for(artifact.format)
    assert runtime is not None  # `fit` has seen to it
    subject = Subject(
        name=f"{made.request.model.name} of the search", digest=artifact.digest, format=artifact.format,
        runtime=runtime.name, inputs=artifact.inputs, outputs=artifact.outputs, path=artifact.path,
        size_bytes=artifact.size_bytes,
    )  # fmt: skip
    with tools.devices.hold(stopped) as name:
        began = time.monotonic()
        entry = inventory().get(name)
        try:
            with connect(entry) as device:
                ensure_runtime(device, runtime.name, offline=False, tools=tools.workspace)
                subject.stage(device, tools.workspace)
                data = made.context.representative if made.evaluation is None else made.evaluation
                try:
                    measured = measure(device, entry, subject, plan=_plan(entry), data=data, tools=tools.workspace)
                finally:
                    with suppress(EdgekitError):  # the next trial's collection takes it
                        device.collect()
        finally:
            found.device_s += time.monotonic() - began
    _note(measured, found)


def _plan(entry: DeviceEntry) -> Plan:
    plan = replace(plan_for("quick"), instructions=True, stages=False)
    if not entry.is_emulated:
        return plan
    return replace(plan, processes=_EMULATED_PROCESSES, min_seconds=_EMULATED_S, steady_cap_s=_EMULATED_S, wait_s=0.0)


def _note(measured: Measurement, found: Findings) -> None:
    processes = [median(run.samples_ns) for run in measured.runs if run.samples_ns]
    interval = median_interval(processes)
    if interval is None:
        raise MeasurementError("fewer than two processes were timed", hint="edgekit profile says why")
    found.values["latency_ns"] = interval.value
    found.intervals["latency_ns"] = (interval.low, interval.high)
    found.measured.add("latency_ns")
    if measured.instructions is not None:
        count = measured.instructions
        found.values["instructions"] = float(count.value)
        found.intervals["instructions"] = (float(count.low), float(count.high))
        found.measured.add("instructions")
    if measured.memory is not None and measured.memory.peak_rss_bytes is not None:
        found.values["ram_bytes"] = float(measured.memory.peak_rss_bytes)
        found.measured.add("ram_bytes")
    found.flags = sorted({*found.flags, *(str(flag) for flag in measured.validity)})


def _choices(point: Point) -> set[tuple[str, str]]:
    """Parameters that were chosen by name, with what was chosen."""
    return {(name, value) for name, value in point.items() if isinstance(value, str)}


def _features(
    values: Mapping[str, float],
    proxies: Mapping[str, float],
    point: Point,
    names: Sequence[str],
    choices: Sequence[tuple[str, str]],
) -> list[float]:
    """Counts and bytes, and 1 for each choice that the point makes."""
    chosen = _choices(point)
    return [
        *(values.get(name, 0.0) for name in _FEATURES),
        *(proxies.get(name, 0.0) for name in names),
        *(float(choice in chosen) for choice in choices),
    ]
