"""The three plots as inline SVG: no script, no network, colours from the page's style sheet."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from edgekit.core.units import format_ns
from edgekit.report._page import AccuracyPlot, LatencyPlot, Plot, SizePlot

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDTH = 420.0
_ROW = 40.0
_AXIS = 28.0
_LABEL_LIMIT = 40
_LEFT, _RIGHT = 28.0, 44.0  # room of the latency plot for process numbers and for samples beyond the axis
_TICKS = 4


def draw(plot: Plot) -> str:
    """A plot as one `<svg>` element with a title and a description."""
    if isinstance(plot, SizePlot):
        return _sizes(plot)
    return _accuracy(plot) if isinstance(plot, AccuracyPlot) else _latency(plot)


def ticks(low: float, high: float) -> list[float]:
    """Round values within an axis, about four of them, a step being 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step * (1 + 1e-12)) + 1)]


def _sizes(plot: SizePlot) -> str:
    largest = max(bar.size_bytes for bar in plot.bars) or 1
    parts = []
    for number, bar in enumerate(plot.bars):
        top, width = number * _ROW, max(_WIDTH * bar.size_bytes / largest, 1.0)
        kind = "muted" if number == 0 else "bar"
        parts += [
            *_labels(bar.label, bar.text, top),
            f'<rect class="{kind}" y="{top + 20:g}" {_size(width, 12)} rx="2"/>',
        ]
    described = "; ".join(f"{bar.label}: {bar.text}" for bar in plot.bars)
    return _svg(plot.title, described, len(plot.bars) * _ROW, parts)


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
