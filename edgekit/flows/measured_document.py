"""A measurement as JSON: every figure is computed here and now from the raw samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import numpy as np

from edgekit.core.measurement import Measurement, OperatorRun, ProcessRun
from edgekit.core.statistics import (
    PERCENTILE_MINIMUM,
    Interval,
    early_stopping_percentile,
    interval_of,
    mad,
    median_interval,
    percentile_interval,
    throughput,
    tukey,
)
from edgekit.flows.measuring.fingerprint import environment_sha256
from edgekit.flows.measuring.sustained import sustained_document

_ONE_PROCESS = "one process says nothing about the next"


def profile_document(measurement: Measurement) -> dict[str, Any]:
    """What `edgekit profile --json` prints; the same measurement gives the same document, bit for bit."""
    plan, processes = measurement.plan, [run.samples_ns for run in measurement.runs if run.samples_ns]
    samples = [time for calls in processes for time in calls]
    runs, seed = measurement.runs, plan.seed
    return {
        "schema": "edgekit.profile/1",
        "device": measurement.device,
        "artifact_sha256": measurement.artifact_digest,
        "mode": plan.mode,
        **_latency(measurement, processes),
        "samples": len(samples),
        "processes": len(runs),
        "mean_ns": _figure(interval_of([float(np.mean(calls)) for calls in processes], np.mean, seed=seed), samples),
        "min_ns": min(samples, default=None),
        "mad_ns": mad(samples) if samples else None,
        "throughput_per_s": _throughput(processes, seed),
        "outliers": dict(zip(("mild", "severe"), tukey(samples), strict=True)),
        "batch": max((run.batch for run in runs), default=1),
        "timer_ns": _middle([run.timer_ns for run in runs if run.timer_ns is not None]),
        "import_ns": _middle([run.import_ns for run in runs]),
        "load_ns": _middle([run.load_ns for run in runs if not run.cold] or [run.load_ns for run in runs]),
        "first_ns": _middle([run.first_ns for run in runs]),
        "phases": _phases(runs, seed),
        "stages": _stages(runs, seed),
        "memory": _memory(measurement),
        "operators": list(_operators(measurement.operators, seed)),
        "operators_reason": measurement.operators_reason,
        "instructions": None if measurement.instructions is None else dict(vars(measurement.instructions)),
        "instructions_reason": measurement.instructions_reason,
        "sustained": sustained_document(measurement),
        "plan": {**vars(plan), "affinity": list(plan.affinity)},
        "provenance": str(measurement.provenance),
        "validity": [str(flag) for flag in measurement.validity],
        "doubts": [{"flag": str(doubt.flag), "reason": doubt.reason} for doubt in measurement.doubts],
        "environment": dict(measurement.environment),
        "environment_sha256": environment_sha256(measurement),
    }


def _latency(measurement: Measurement, processes: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Percentiles by LoadGen's early stopping, the median of the processes, and why a figure is missing."""
    seed, n = measurement.plan.seed, sum(map(len, processes))
    batch = max((run.batch for run in measurement.runs), default=1)
    latency: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for percent, least in PERCENTILE_MINIMUM.items():
        name = f"p{percent:g}".replace(".", "_")
        latency[name] = intervals[name] = None
        if n < least:
            reasons[name] = f"needs {least} samples, there are {n}"
        elif batch > 1 and percent > 50:
            reasons[name] = f"a sample is the mean of {batch} calls: it has no tail"
        elif (interval := percentile_interval(processes, percent, seed=seed)) is not None:
            latency[name], intervals[name] = interval.value, [interval.low, interval.high]
        else:
            latency[name] = early_stopping_percentile(list(processes[0]), percent)
    middle = median_interval([median(calls) for calls in processes], seed=seed)
    latency["ci95"] = _ends(middle)
    latency["median_of_processes"] = None if middle is None else middle.value
    return {"latency_ns": latency, "latency_ci95": intervals, "latency_reasons": reasons}


def _phases(runs: Sequence[ProcessRun], seed: int) -> dict[str, Any]:
    """What a process spends its time on, one value a process: the median with its interval."""
    loads = {cold: [run.load_ns for run in runs if bool(run.cold) is cold] for cold in (True, False)}
    refused = any(run.cold is False for run in runs) and not loads[True]
    cold = _phase(loads[True], seed)
    if not loads[True]:
        cold["reason"] = "the device kept the file in its page cache" if refused else "it was not asked for"
    return {
        "import": _phase([run.import_ns for run in runs], seed),
        "load_cold": cold,
        "load_warm": _phase(loads[False], seed),
        "first": _phase([run.first_ns for run in runs], seed),
        "steady": _phase([median(run.samples_ns) for run in runs if run.samples_ns], seed),
    }


def _phase(values: Sequence[float], seed: int) -> dict[str, Any]:
    interval = median_interval(values, seed=seed)
    reason = None if interval else _ONE_PROCESS if values else "not measured"
    return {"value_ns": _middle(values), "ci95": _ends(interval), "n": len(values), "reason": reason}


def _stages(runs: Sequence[ProcessRun], seed: int) -> dict[str, Any]:
    names = sorted({name for run in runs for name in run.stages_ns})
    by_name = {name: [median(run.stages_ns[name]) for run in runs if run.stages_ns.get(name)] for name in names}
    return {name: _phase(values, seed) for name, values in by_name.items() if values}


def _memory(measurement: Measurement) -> dict[str, Any]:
    """Of the process with the median peak; the range is over all that were weighed."""
    memory = measurement.memory
    names = ("pss_bytes", "private_bytes", "swap_bytes", "arena_bytes", "file_bytes")
    weighed = measurement.memories or (() if memory is None else (memory,))
    peaks = [one.peak_rss_bytes for one in weighed]
    return {
        "peak_rss_bytes": None if memory is None else memory.peak_rss_bytes,
        "baseline_rss_bytes": None if memory is None else memory.baseline_rss_bytes,
        **{name: None if memory is None else getattr(memory, name) for name in names},
        "n": len(peaks),
        "range_peak_rss_bytes": [min(peaks), max(peaks)] if peaks else None,
        "provenance": str(measurement.provenance),
        "reason": measurement.memory_reason,
    }


def _operators(operators: Sequence[OperatorRun], seed: int) -> Iterator[dict[str, Any]]:
    """Each with its share of the time, or of the instructions where only these are known."""
    middles = [_middle(one.ns) for one in operators]
    weights = [middle or 0.0 for middle in middles]
    if not any(weights):
        weights = [float(one.instructions or 0) for one in operators]
    whole = sum(weights)
    for one, middle, weight in zip(operators, middles, weights, strict=True):
        ns = None if middle is None else {"value": middle, "ci95": _ends(median_interval(one.ns, seed=seed))}
        share = weight / whole if whole else None
        yield {"name": one.name, "op": one.op, "ns": ns, "share": share, "instructions": one.instructions}


def _throughput(processes: Sequence[Sequence[int]], seed: int) -> dict[str, Any]:
    samples = [time for calls in processes for time in calls]
    found = _figure(throughput(processes, seed=seed), samples)
    if found["ci95"] is None and samples:
        found["value"] = 1e9 / float(np.mean(samples))
    return found


def _figure(interval: Interval | None, samples: Sequence[int]) -> dict[str, Any]:
    if interval is not None:
        return {"value": interval.value, "ci95": _ends(interval), "reason": None}
    value = float(np.mean(samples)) if samples else None
    return {"value": value, "ci95": None, "reason": _ONE_PROCESS if samples else "not measured"}


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _middle(values: Sequence[float]) -> float | None:
    return float(median(values)) if values else None
