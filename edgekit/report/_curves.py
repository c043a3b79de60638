"""Plots with two axes: accuracy against bytes, curves over time, a figure from run to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.core.units import format_ns
from edgekit.report import _canvas as svg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgekit.report._page import CurvePlot, Panel, Tradeoff, TradeoffPlot, TrendPlot

_PLANE, _LINE = 220.0, 24.0  # height of accuracy against bytes, and of a line of its list
_PANEL, _TITLE, _GAP = 92.0, 20.0, 14.0
_TREND = 170.0


def tradeoff(plot: TradeoffPlot) -> str:
    """Bytes from zero to the right, accuracy upwards; numbers in the plot, their words in a list below.

    A stepped line joins the points that no other beats in both: the Pareto front.
    """
    shares = [value for point in plot.points for value in (point.low, point.high)]
    shares += [plot.limit] if plot.limit is not None else []
    room = 0.15 * (max(shares) - min(shares)) + 0.002
    low, high = max(min(shares) - room, 0.0), min(max(shares) + room, 1.0)
    tried = [(size, share) for size, share in plot.tried if low <= share <= high]
    largest = 1.06 * max([1, *(point.size_bytes for point in plot.points), *(size for size, _ in tried)])

    def x(size_bytes: float) -> float:
        return size_bytes / largest

    def y(share: float) -> float:
        return 8 + (high - share) / (high - low) * (_PLANE - 8)

    unit = 1024 if largest >= 4096 else 1  # round numbers of the unit that they are written in
    sizes = [unit * size for size in svg.ticks(0.0, largest / unit)]
    parts = svg.grid(sizes, x, _PLANE, svg.sizes_said)
    parts += svg.levels(svg.ticks(low, high), y, lambda share: f"{share * 100:.4g} %")
    if plot.limit is not None:
        parts.append(svg.line("middle", 0, y(plot.limit), 1, y(plot.limit)))
        parts.append(svg.text("small end", 1, y(plot.limit) + 14, "the budget allows down to here"))
    parts += _front(plot.points, x, y)
    parts += [svg.dot("muted", x(size), y(share), 2.5) for size, share in tried]
    for number, point in enumerate(plot.points, start=1):
        at, kind = x(point.size_bytes), "muted" if point.is_muted else "bar"
        parts.append(svg.line(f"{kind} line", at, y(point.low), at, y(point.high)))
        parts.append(svg.dot(kind, at, y(point.value)))
        above = y(point.value) - 6 - 12 * (number % 3)  # neighbours in bytes do not hide each other's number
        parts.append(svg.beside("small", at, 7, above, str(number)))
        top = _PLANE + svg.AXIS + (number - 1) * _LINE
        parts.append(svg.aside("strong", -52, top + 14, str(number)))
        parts.append(svg.aside("", -34, top + 14, point.label if len(point.label) < 40 else f"{point.label[:39]}…"))
        parts.append(svg.text("end", 1, top + 14, point.text))
    below = len(plot.tried) - len(tried)
    others = f"; {len(plot.tried)} variants that were tried, {below} of them off the axis" if plot.tried else ""
    described = "; ".join(f"{point.label}: {point.text}" for point in plot.points) + others
    height = _PLANE + svg.AXIS + len(plot.points) * _LINE + 6
    return svg.canvas(
        plot.title, f"{described}. The axis of accuracy does not start at zero.", height, parts, kind="inset"
    )


def _front(points: Sequence[Tradeoff], x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    parts, best = [], None
    for point in sorted(points, key=lambda one: (one.size_bytes, -one.value)):
        if best is not None and point.value <= best.value:
            continue
        if best is not None:
            corner = x(point.size_bytes)
            parts.append(svg.line("front", x(best.size_bytes), y(best.value), corner, y(best.value)))
            parts.append(svg.line("front", corner, y(best.value), corner, y(point.value)))
        best = point
    return parts


def curves(plot: CurvePlot) -> str:
    """Panels with one axis of time."""
    start, end = plot.seconds[0], max(plot.seconds[-1], plot.seconds[0] + 1e-9)

    def x(seconds: float) -> float:
        return (seconds - start) / (end - start)

    height = len(plot.panels) * (_TITLE + _PANEL + _GAP)
    parts = svg.grid(svg.ticks(start, end), x, height - _GAP, lambda value: f"{value:g} {plot.axis}")
    for number, panel in enumerate(plot.panels):
        parts += _panel(panel, [x(seconds) for seconds in plot.seconds], number * (_TITLE + _PANEL + _GAP))
    if plot.mark_s is not None:
        at = min(max(x(plot.mark_s), 0.0), 1.0)
        anchor, distance = ("end", -6) if at > 0.5 else ("", 6)
        parts.append(svg.line("middle", at, 0, at, height - _GAP))
        parts.append(svg.beside(f"small {anchor}", at, distance, 34, plot.mark))
    described = "; ".join(
        f"{panel.label} from {said(min(known))} to {said(max(known))}"
        for panel in plot.panels
        for said in [svg.written(panel.unit)]
        if (known := [value for value in panel.values if value is not None])
    )
    return svg.canvas(plot.title, described, height - _GAP + svg.AXIS, parts, kind="inset")


def _panel(panel: Panel, places: Sequence[float], top: float) -> list[str]:
    known = [value for value in panel.values if value is not None]
    said = svg.written(panel.unit)
    parts = [svg.text("", 0, top + 13, panel.label)]
    room = 0.08 * (max(known) - min(known)) or 0.05 * abs(max(known)) or 1.0
    low, high = min(known) - room, max(known) + room
    floor = top + _TITLE + _PANEL

    def y(value: float) -> float:
        return floor - (value - low) / (high - low) * _PANEL

    marks = svg.ticks(low, high)
    parts += svg.levels(marks if len(marks) < 3 else marks[::2], y, said)
    strokes: list[list[str]] = [[]]
    for place, value in zip(places, panel.values, strict=True):
        if value is None:
            strokes.append([])
        else:
            strokes[-1].append(f"{100 * place:.2f} {100 - (value - low) / (high - low) * 100:.2f}")
    path = "".join(f"M{'L'.join(stroke)}" for stroke in strokes if stroke)
    parts.append(
        f'<svg y="{top + _TITLE:g}" width="100%" height="{_PANEL:g}" viewBox="0 0 100 100" preserveAspectRatio="none">'
        f'<path class="curve" d="{path}"/></svg>'
    )
    return parts


def trend(plot: TrendPlot) -> str:
    """A dot a run with its interval, hollow where it is doubtful; a dashed line where the level changes."""
    ends = [end for point in plot.points for end in (point.low_ns, point.high_ns, point.value_ns)]
    room = 0.1 * (max(ends) - min(ends)) or 0.05 * max(ends) or 1.0
    low, high = max(min(ends) - room, 0.0), max(ends) + room
    top = 18.0

    def x(place: float) -> float:
        return (place + 0.5) / len(plot.points)

    def y(time_ns: float) -> float:
        return top + _TREND - (time_ns - low) / (high - low) * _TREND

    parts = svg.levels(svg.ticks(low, high), y, format_ns)
    for place, words in plot.steps:
        at = x(place - 0.5)
        anchor, distance = ("end", -5) if at > 0.7 else ("", 5)
        parts.append(svg.line("middle", at, 0, at, top + _TREND))
        parts.append(svg.beside(f"small {anchor}", at, distance, 12, words))
    for place, point in enumerate(plot.points):
        if point.high_ns > point.low_ns:
            parts.append(svg.line("bar line", x(place), y(point.low_ns), x(place), y(point.high_ns)))
        parts.append(svg.dot("hollow" if point.is_doubtful else "bar", x(place), y(point.value_ns), 4))
    floor = top + _TREND + 18
    parts += [svg.text("small", 0, floor, plot.first), svg.text("small end", 1, floor, plot.last)]
    span = f"from {format_ns(min(ends))} to {format_ns(max(ends))}"
    described = f"{len(plot.points)} runs {span}; {len(plot.steps)} steps."
    return svg.canvas(plot.title, described, top + _TREND + svg.AXIS, parts, kind="inset")
