"""What the plots show, taken from a run document and from the raw samples."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from edgekit.core.statistics import median_interval
from edgekit.core.units import format_bytes, format_ns
from edgekit.report import _wording
from edgekit.report._page import AccuracyPlot, Bar, LatencyPlot, Point, Process, SizePlot, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.core.measurement import Measurement
    from edgekit.report._document import Part

_BINS = 72
_FENCE = (
    3.0  # interquartile ranges above the third quartile: Tukey's far outliers would squeeze all others into one bin
)


def size_plot(document: Part) -> SizePlot | None:
    """One bar for the model as given and one a step; None with fewer than two."""
    labels = [("model as given", document["source"])]
    labels += [
        (f"after {_step_name(step)}", step)
        for step in document["steps"].items()
        if step["size_bytes"].count() is not None
    ]
    bars = tuple(
        Bar(label=label, size_bytes=size_bytes, text=format_bytes(size_bytes))
        for label, part in labels
        if (size_bytes := part["size_bytes"].count()) is not None
    )
    return SizePlot(title="Size after each step", bars=bars) if len(bars) > 1 else None


def steps_table(document: Part) -> Table | None:
    """Everything that the steps recorded."""
    rows = tuple(_step_cells(step) for step in document["steps"].items())
    header = ("step", "parameters", "size", "in a zip", "time", "cache")
    return Table(title="Steps", header=header, rows=rows) if rows else None


def _step_name(step: Part) -> str:
    return step["pass"].text(60) or "a step"


def _step_cells(step: Part) -> tuple[str, ...]:
    size_bytes, zip_bytes, seconds = step["size_bytes"].count(), step["zip_bytes"].count(), step["seconds"].number()
    return (
        _step_name(step),
        ", ".join(f"{name} = {value}" for name, value in step["params"].entries()) or "–",
        "–" if size_bytes is None else format_bytes(size_bytes),
        "–" if zip_bytes is None else format_bytes(zip_bytes),
        "–" if seconds is None else format_ns(seconds * 1e9),
        "hit" if step["cache_hit"].flag() else "built",
    )


def accuracy_plot(parts: Mapping[str, Part]) -> AccuracyPlot | None:
    """One point with its interval for each part that has both; None with fewer than two."""
    points = tuple(point for label, part in parts.items() if (point := _point(label, part)))
    return AccuracyPlot(title="Accuracy with its 95 % interval", points=points) if len(points) > 1 else None


def _point(label: str, part: Part) -> Point | None:
    value, bounds = part["value"].number(), [bound.number() for bound in part["ci95"].items()]
    if value is None or len(bounds) != 2:
        return None
    low, high = bounds
    if low is None or high is None or not 0 <= low <= value <= high <= 1:
        return None
    return Point(label=label, text=_wording.share(value), value=value, low=low, high=high)


def latency_plot(measurement: Measurement) -> LatencyPlot | None:
    """A histogram of each process on one axis; None when nothing was sampled."""
    runs = [run for run in measurement.runs if run.samples_ns]
    if not runs:
        return None
    samples = np.concatenate([np.asarray(run.samples_ns, dtype=np.float64) for run in runs])
    medians = [float(median(run.samples_ns)) for run in runs]
    quartiles = np.percentile(samples, [25, 75])
    fence_ns = max(float(quartiles[1] + _FENCE * (quartiles[1] - quartiles[0])), *medians)
    low_ns = float(samples.min())
    high_ns = max(min(float(samples.max()), fence_ns), low_ns + 1)
    interval = median_interval(medians)
    processes = tuple(
        Process(
            label=str(number),
            median_ns=float(median(run.samples_ns)),
            counts=tuple(int(n) for n in np.histogram(run.samples_ns, bins=_BINS, range=(low_ns, high_ns))[0]),
            beyond=sum(time_ns > high_ns for time_ns in run.samples_ns),
        )
        for number, run in enumerate(runs, start=1)
    )
    slower = "; +n: slower samples, beyond the axis" if any(process.beyond for process in processes) else ""
    return LatencyPlot(
        title=f"Latency per process, {_wording.place(measurement.provenance)}{slower}",
        low_ns=low_ns,
        high_ns=high_ns,
        median_ns=float(median(medians)),
        interval_ns=(interval.low, interval.high) if interval else None,
        processes=processes,
    )


def processes_table(measurement: Measurement) -> Table | None:
    """What the latency plot shows, in numbers; no sample is left out."""
    rows = tuple(
        (
            str(number),
            f"{len(run.samples_ns):,}",
            format_ns(min(run.samples_ns)),
            format_ns(median(run.samples_ns)),
            format_ns(max(run.samples_ns)),
            format_ns(run.load_ns),
            format_ns(run.first_ns),
        )
        for number, run in enumerate(measurement.runs, start=1)
        if run.samples_ns
    )
    header = ("process", "samples", "fastest", "median", "slowest", "load", "first")
    return Table(title="Processes", header=header, rows=rows) if rows else None
