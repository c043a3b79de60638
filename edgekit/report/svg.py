"""The plots as inline SVG: no script, no network, colours from the page's style sheet."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from edgekit.core.units import format_bytes, format_ns
from edgekit.report import memory_plan
from edgekit.report._page import AccuracyPlot, AmountPlot, LatencyPlot, MemoryPlot, Plot, SizePlot, TradeoffPlot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WIDTH = 420.0
_ROW = 40.0
_AXIS = 28.0
_LABEL_LIMIT = 40
_LEFT, _RIGHT = 28.0, 44.0  # room of the latency plot for process numbers and for samples beyond the axis
_TICKS = 4
_INDENT, _PLOT_HEIGHT, _LINE = 52.0, 190.0, 20.0  # of the trade-off plot: room for shares, its height, its list


def draw(plot: Plot) -> str:
    """A plot as one `<svg>` element with a title and a description."""
    match plot:
        case SizePlot():
            bars = [(bar.label, bar.text, float(bar.size_bytes), number == 0) for number, bar in enumerate(plot.bars)]
            return _bars(plot.title, bars)
        case AmountPlot():
            return _bars(plot.title, [(bar.label, bar.text, bar.value, bar.is_muted) for bar in plot.bars])
        case AccuracyPlot():
            return _accuracy(plot)
        case TradeoffPlot():
            return _tradeoff(plot)
        case LatencyPlot():
            return _latency(plot)
        case MemoryPlot():
            return memory_plan.draw(plot)


def ticks(low: float, high: float) -> list[float]:
    """Round values within an axis, about four of them, a step being 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step * (1 + 1e-12)) + 1)]


def _bars(title: str, bars: Sequence[tuple[str, str, float, bool]]) -> str:
    """Horizontal bars from zero: label, text, value, whether it is muted."""
    largest = max(value for _, _, value, _ in bars) or 1
    parts = []
    for number, (label, text, value, is_muted) in enumerate(bars):
        top, width = number * _ROW, max(_WIDTH * value / largest, 1.0)
        kind = "muted" if is_muted else "bar"
        parts += [
            *_labels(label, text, top),
            f'<rect class="{kind}" y="{top + 20:g}" {_size(width, 12)} rx="2"/>',
        ]
    described = "; ".join(f"{label}: {text}" for label, text, _, _ in bars)
    return _svg(title, described, len(bars) * _ROW, parts)


def _tradeoff(plot: TradeoffPlot) -> str:
    """Bytes from zero to the right, accuracy upwards; numbers in the plot, their words in a list below."""
    shares = [value for point in plot.points for value in (point.low, point.high)]
    shares += [plot.limit] if plot.limit is not None else []
    room = 0.15 * (max(shares) - min(shares)) + 0.002
    low, high = max(min(shares) - room, 0.0), min(max(shares) + room, 1.0)
    tried = [(size, share) for size, share in plot.tried if low <= share <= high]
    largest = 1.06 * max([point.size_bytes for point in plot.points] + [size for size, _ in tried])

    def x(size_bytes: float) -> float:
        return _INDENT + size_bytes / largest * (_WIDTH - _INDENT - 12)

    def y(share: float) -> float:
        return 8 + (high - share) / (high - low) * (_PLOT_HEIGHT - 8)

    unit = 1024 if largest >= 4096 else 1  # round numbers of the unit that they are written in
    sizes = [unit * size for size in ticks(0.0, largest / unit)]
    parts = _grid(sizes, x, _PLOT_HEIGHT, lambda size: format_bytes(round(size)))
    for value in ticks(low, high):
        parts.append(f'<path class="grid" d="M{_INDENT:g} {y(value):.1f}H{_WIDTH:g}"/>')
        parts.append(f'<text class="small end" x="{_INDENT - 5:g}" y="{y(value) + 4:.1f}">{value * 100:.4g} %</text>')
    if plot.limit is not None:
        parts.append(f'<path class="middle" d="M{_INDENT:g} {y(plot.limit):.1f}H{_WIDTH:g}"/>')
        parts.append(f'<text class="small" x="{_INDENT + 4:g}" y="{y(plot.limit) + 13:.1f}">budget</text>')
    parts += [f'<circle class="muted" cx="{x(size):.1f}" cy="{y(share):.1f}" r="2.5"/>' for size, share in tried]
    for number, point in enumerate(plot.points, start=1):
        at, kind = x(point.size_bytes), "muted" if point.is_muted else "bar"
        parts.append(f'<path class="{kind} line" d="M{at:.1f} {y(point.low):.1f}V{y(point.high):.1f}"/>')
        parts.append(f'<circle class="{kind}" cx="{at:.1f}" cy="{y(point.value):.1f}" r="4.5"/>')
        above = y(point.value) - 5 - 11 * (number % 3)  # neighbours in bytes do not hide each other's number
        parts.append(f'<text class="small" x="{at + 7:.1f}" y="{above:.1f}">{number}</text>')
        parts += _labels(f"{number}  {point.label}", point.text, _PLOT_HEIGHT + _AXIS + (number - 1) * _LINE)
    below = len(plot.tried) - len(tried)
    others = f"; {len(plot.tried)} variants that were tried, {below} of them off the axis" if plot.tried else ""
    described = "; ".join(f"{point.label}: {point.text}" for point in plot.points) + others
    height = _PLOT_HEIGHT + _AXIS + len(plot.points) * _LINE + 6
    return _svg(plot.title, f"{described}. The axis of accuracy does not start at zero.", height, parts)


def _accuracy(plot: AccuracyPlot) -> str:
    room = 0.1 * max(point.high - point.low for point in plot.points) + 0.002
    low = max(min(point.low for point in plot.points) - room, 0.0)
    high = min(max(point.high for point in plot.points) + room, 1.0)

    def x(share: float) -> float:
        return (share - low) / (high - low) * _WIDTH

    height = len(plot.points) * _ROW
    parts = _grid(ticks(low, high), x, height, lambda share: f"{share * 100:.4g} %")
    for number, point in enumerate(plot.points):
        top = number * _ROW
        middle = top + 27
        left, right = x(point.low), x(point.high)
        caps = "".join(f"M{end:.1f} {middle - 5:g}v10" for end in (left, right))
        kind = "muted" if number == 0 else "bar"
        parts += _labels(point.label, point.text, top)
        parts.append(f'<path class="{kind} line" d="M{left:.1f} {middle:g}H{right:.1f}{caps}"/>')
        parts.append(f'<circle class="{kind}" cx="{x(point.value):.1f}" cy="{middle:g}" r="4.5"/>')
    described = "; ".join(f"{point.label}: {point.text}" for point in plot.points)
    return _svg(plot.title, f"{described}. The axis does not start at zero.", height + _AXIS, parts)


def _latency(plot: LatencyPlot) -> str:
    pitch = 30.0 if len(plot.processes) <= 20 else 14.0
    most = max(max(process.counts) for process in plot.processes) or 1

    def x(time_ns: float) -> float:
        share = (time_ns - plot.low_ns) / (plot.high_ns - plot.low_ns)
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)

    height = 6 + len(plot.processes) * pitch
    parts = _grid(ticks(plot.low_ns, plot.high_ns), x, height, format_ns)
    if plot.interval_ns:
        left, right = map(x, plot.interval_ns)
        parts.append(f'<rect class="band" x="{left:.1f}" {_size(max(right - left, 1), height)}/>')
    parts.append(f'<path class="middle" d="M{x(plot.median_ns):.1f} 0V{height:g}"/>')
    bin_width = (_WIDTH - _LEFT - _RIGHT) / len(plot.processes[0].counts)
    for number, process in enumerate(plot.processes):
        floor = 6 + (number + 1) * pitch - 4
        heights = [(pitch - 6) * count / most for count in process.counts]
        steps = "".join(f"V{floor - tall:.1f}h{bin_width:.2f}" for tall in heights)
        at = x(process.median_ns)
        parts.append(f'<text class="small" y="{floor:g}">{escape(process.label)}</text>')
        parts.append(f'<path class="bar hill" d="M{_LEFT:g} {floor:g}{steps}V{floor:g}z"/>')
        parts.append(f'<path class="tick" d="M{at:.1f} {floor - pitch + 6:g}V{floor + 2:g}"/>')
        if process.beyond:
            parts.append(f'<text class="small end" x="{_WIDTH:g}" y="{floor:g}">+{process.beyond}</text>')
    described = (
        f"Histograms of {len(plot.processes)} processes from {format_ns(plot.low_ns)} to {format_ns(plot.high_ns)}; "
        f"the median of their medians is {format_ns(plot.median_ns)}."
    )
    return _svg(plot.title, described, height + _AXIS, parts)


def _svg(title: str, description: str, height: float, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


def _labels(label: str, text: str, top: float) -> list[str]:
    shown = label if len(label) <= _LABEL_LIMIT else f"{label[: _LABEL_LIMIT - 1]}…"
    return [
        f'<text y="{top + 14:g}">{escape(shown)}</text>',
        f'<text class="end" x="{_WIDTH:g}" y="{top + 14:g}">{escape(text)}</text>',
    ]


def _grid(values: list[float], x: Callable[[float], float], height: float, text: Callable[[float], str]) -> list[str]:
    parts = []
    for value in values:
        at = x(value)
        anchor = "small start" if at < 30 else "small end" if at > _WIDTH - 30 else "small centre"
        parts.append(f'<path class="grid" d="M{at:.1f} 0V{height:g}"/>')
        parts.append(f'<text class="{anchor}" x="{at:.1f}" y="{height + 18:g}">{escape(text(value))}</text>')
    return parts


def _size(width: float, height: float) -> str:
    return f'width="{width:.1f}" height="{height:g}"'
