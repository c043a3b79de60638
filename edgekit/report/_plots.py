"""What the plots show, taken from a run document and from the raw samples."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from edgekit.core.statistics import median_interval
from edgekit.core.units import format_bytes, format_ns
from edgekit.report import _wording
from edgekit.report._page import Amount, AmountPlot, LatencyPlot, Point, PointPlot, Strip, Table, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.core.measurement import Measurement
    from edgekit.report._document import Part

_FENCE = (
    3.0  # interquartile ranges above the third quartile: Tukey's far outliers would squeeze all others into one bin
)


def size_plot(document: Part) -> AmountPlot | None:
    """One bar for the model as given and one a step; None with fewer than two."""
    labels = [("model as given", document["source"])]
    labels += [
        (f"after {_step_name(step)}", step)
        for step in document["steps"].items()
        if step["size_bytes"].count() is not None
    ]
    bars = tuple(
        Amount(label=label, value=float(size_bytes), text=format_bytes(size_bytes), is_muted=number == 0)
        for number, (label, part) in enumerate(labels)
        if (size_bytes := part["size_bytes"].count()) is not None
    )
    return AmountPlot(title="Size after each step", bars=bars) if len(bars) > 1 else None


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


def accuracy_plot(parts: Mapping[str, Part]) -> PointPlot | None:
    """One point with its interval for each part that has both, the first one muted; None with fewer than two."""
    points = tuple(
        point
        for number, (label, part) in enumerate(parts.items())
        if (point := share_point(label, part["value"], part["ci95"], is_muted=number == 0))
    )
    title = "Accuracy with its 95 % interval"
    return PointPlot(title=title, unit=Unit.SHARE, points=points) if len(points) > 1 else None


def share_point(label: str, value: Part, ci95: Part, *, is_muted: bool = False) -> Point | None:
    """A share of 0..1 with its interval; None where one of them is missing."""
    share, bounds = value.number(), [bound.number() for bound in ci95.items()]
    if share is None or len(bounds) != 2:
        return None
    low, high = bounds
    if low is None or high is None or not 0 <= low <= share <= high <= 1:
        return None
    return Point(label=label, text=_wording.share(share), value=share, low=low, high=high, is_muted=is_muted)


def latency_plot(measurement: Measurement) -> LatencyPlot | None:
    """A strip for each process on one axis; None when nothing was sampled."""
    runs = [np.asarray(run.samples_ns, dtype=np.float64) for run in measurement.runs if run.samples_ns]
    if not runs:
        return None
    shares = [np.percentile(samples, [5, 25, 50, 75, 95]) for samples in runs]
    low_ns = min(float(share[0]) for share in shares)
    widest = max(float(share[4]) for share in shares)
    quartiles = np.percentile(np.concatenate(runs), [25, 75])
    fence_ns = max(float(quartiles[1] + _FENCE * (quartiles[1] - quartiles[0])), *(float(share[2]) for share in shares))
    high_ns = max(min(widest, fence_ns), low_ns + 1)
    medians = [float(share[2]) for share in shares]
    interval = median_interval(medians, seed=measurement.plan.seed)
    processes = tuple(
        Strip(
            label=str(number),
            low_ns=float(share[0]),
            high_ns=float(share[4]),
            quartiles_ns=(float(share[1]), float(share[3])),
            median_ns=float(share[2]),
            beyond=int((samples > high_ns).sum()),
        )
        for number, (samples, share) in enumerate(zip(runs, shares, strict=True), start=1)
    )
    slower = ". +n: calls that were slower" if any(process.beyond for process in processes) else ""
    origin = _wording.place(measurement.provenance)
    return LatencyPlot(
        title=f"Calls of each process {origin}: thin 90 % of them, thick half, tick the median; the band is the 95 % "
        f"interval of the median{slower}",
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
            format_ns(run.load_ns) + (" cold" if run.cold else ""),
            format_ns(run.first_ns),
        )
        for number, run in enumerate(measurement.runs, start=1)
        if run.samples_ns
    )
    header = ("process", "samples", "fastest", "median", "slowest", "load", "first")
    return Table(title="Processes in numbers", header=header, rows=rows) if rows else None
