"""Plots with one row for each value: bars, points with intervals, strips of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.core.units import format_ns
from edgekit.report import _canvas as svg

if TYPE_CHECKING:
    from edgekit.report._page import AmountPlot, LatencyPlot, PointPlot

_ROW = 40.0
_FEW = 12
_STRIP, _DENSE_STRIP = 22.0, 12.0


def amounts(plot: AmountPlot) -> str:
    """Bars from zero; a thin line is an interval, an upright one a limit."""
    ends = [max(bar.value, bar.limit or 0.0, bar.interval[1] if bar.interval else 0.0) for bar in plot.bars]
    largest = max(ends) or 1.0
    parts = []
    for number, bar in enumerate(plot.bars):
        top, kind = number * _ROW, "muted" if bar.is_muted else "bar"
        parts += svg.labels(bar.label, bar.text, top)
        parts.append(svg.rect(kind, 0, top + 21, bar.value / largest, 10))
        if bar.interval is not None:
            low, high = (min(max(end, 0.0), largest) / largest for end in bar.interval)
            parts.append(svg.line("whisker", low, top + 26, high, top + 26))
        if bar.limit is not None:
            parts.append(svg.line("limit", bar.limit / largest, top + 19, bar.limit / largest, top + 33))
    described = "; ".join(f"{bar.label}: {bar.text}" for bar in plot.bars)
    return svg.canvas(plot.title, described, len(plot.bars) * _ROW, parts)


def points(plot: PointPlot) -> str:
    """A dot a row with its interval; a band in which nothing counts as a difference."""
    ends = [end for point in plot.points for end in (point.low, point.high, point.value)]
    ends += [*(plot.band or ()), *(() if plot.origin is None else (plot.origin,))]
    room = 0.08 * (max(ends) - min(ends)) + 0.002
    low, high = min(ends) - room, max(ends) + room

    def x(value: float) -> float:
        return (value - low) / (high - low)

    height = len(plot.points) * _ROW
    parts = []
    if plot.band is not None:
        left, right = map(x, plot.band)
        parts.append(svg.rect("band", left, 0, right - left, height))
    parts += svg.grid(svg.ticks(low, high), x, height, svg.written(plot.unit))
    if plot.origin is not None:
        parts.append(svg.line("origin", x(plot.origin), 0, x(plot.origin), height))
    for number, point in enumerate(plot.points):
        top, kind = number * _ROW, "muted" if point.is_muted else "bar"
        middle = top + 27
        parts += svg.labels(point.label, point.text, top)
        if point.high > point.low:
            parts.append(svg.line(f"{kind} line", x(point.low), middle, x(point.high), middle))
            parts += [
                svg.line(f"{kind} line", x(end), middle - 5, x(end), middle + 5) for end in (point.low, point.high)
            ]
        parts.append(svg.dot(kind, x(point.value), middle))
    described = "; ".join(f"{point.label}: {point.text}" for point in plot.points)
    return svg.canvas(plot.title, f"{described}. The axis does not start at zero.", height + svg.AXIS, parts)


def strips(plot: LatencyPlot) -> str:
    """One strip a process: a thin line for 90 % of its calls, a thick one for half of them, a tick for the median."""
    pitch = _STRIP if len(plot.processes) <= _FEW else _DENSE_STRIP

    def x(time_ns: float) -> float:
        return min(max((time_ns - plot.low_ns) / (plot.high_ns - plot.low_ns), 0.0), 1.0)

    height = 8 + len(plot.processes) * pitch
    parts = []
    if plot.interval_ns:
        left, right = map(x, plot.interval_ns)
        parts.append(svg.rect("band", left, 0, right - left, height))
    parts += svg.grid(svg.ticks(plot.low_ns, plot.high_ns), x, height, format_ns)
    parts.append(svg.line("middle", x(plot.median_ns), 0, x(plot.median_ns), height))
    for number, process in enumerate(plot.processes):
        middle = 4 + (number + 0.5) * pitch
        first, third = process.quartiles_ns
        thick = min(pitch - 6, 10)
        if pitch == _STRIP or number % 5 == 0:
            parts.append(svg.aside("small end", -8, middle + 4, process.label))
        parts.append(svg.line("whole", x(process.low_ns), middle, x(process.high_ns), middle))
        parts.append(svg.rect("half", x(first), middle - thick / 2, x(third) - x(first), thick))
        at = x(process.median_ns)
        parts.append(svg.line("tick", at, middle - thick / 2 - 2, at, middle + thick / 2 + 2))
        if process.beyond and pitch == _STRIP:
            parts.append(svg.beside("small", 1, 8, middle + 4, f"+{process.beyond}"))
    described = (
        f"Calls of {len(plot.processes)} processes from {format_ns(plot.low_ns)} to {format_ns(plot.high_ns)}; "
        f"the median of their medians is {format_ns(plot.median_ns)}."
    )
    return svg.canvas(plot.title, described, height + svg.AXIS, parts, kind="number tail")
