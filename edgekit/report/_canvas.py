"""What the plots are drawn with: SVG elements, axes and their numbers.

Lengths to the right are percentages, so that a plot fills a phone and a desk alike and its texts keep their size.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from edgekit.core.units import format_bytes, format_ns
from edgekit.report._page import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AXIS = 26.0
"""Pixels below a plot for the numbers of its axis."""

_TICKS = 4
_LABEL_LIMIT = 46


def written(unit: Unit) -> Callable[[float], str]:
    """How a value of a unit is written on an axis."""
    match unit:
        case Unit.SHARE:
            return lambda value: f"{value * 100:.4g} %"
        case Unit.CHANGE:
            return lambda value: f"{value * 100 + 0.0:+.3g} %".replace("-", "−").replace("+0 %", "0")
        case Unit.TIME:
            return format_ns
        case Unit.TEMPERATURE:
            return lambda value: f"{value:.3g} °C"
        case Unit.FREQUENCY:
            return lambda value: f"{value / 1e6:.3g} GHz" if value >= 1e6 else f"{value / 1e3:.3g} MHz"


def ticks(low: float, high: float) -> list[float]:
    """Round values within an axis, about four of them, a step being 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step * (1 + 1e-12)) + 1)]


def canvas(title: str, description: str, height: float, parts: Sequence[str], *, kind: str = "") -> str:
    """The element; `kind` "inset" leaves room at the left for the numbers of an upright axis, "tail" at the right."""
    return (
        f'<svg class="chart {kind}" height="{height:g}" role="img" aria-label="{escape(title)}">'
        f"<desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


def across(share: float) -> str:
    """A place from left to right."""
    return f"{100 * share:.2f}%"


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """A line; x as shares of the width, y in pixels."""
    return f'<line class="{kind}" x1="{across(x1)}" y1="{y1:.1f}" x2="{across(x2)}" y2="{y2:.1f}"/>'


def rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    """A rectangle, as `line`; never so narrow that it cannot be seen."""
    wide = across(max(width, 0.002))
    return f'<rect class="{kind}" x="{across(x)}" y="{y:.1f}" width="{wide}" height="{height:.1f}"/>'


def dot(kind: str, x: float, y: float, radius: float = 4.5) -> str:
    """A circle, as `line`."""
    return f'<circle class="{kind}" cx="{across(x)}" cy="{y:.1f}" r="{radius:g}"/>'


def text(kind: str, x: float, y: float, words: str) -> str:
    """Words, as `line`; kinds "small", "end" and "centre" of the style sheet."""
    return f'<text class="{kind}" x="{across(x)}" y="{y:.1f}">{escape(words)}</text>'


def aside(kind: str, x_px: float, y: float, words: str) -> str:
    """Words at a distance in pixels from the plot's left edge."""
    return f'<text class="{kind}" x="{x_px:g}" y="{y:.1f}">{escape(words)}</text>'


def beside(kind: str, x: float, dx_px: float, y: float, words: str) -> str:
    """Words at a distance in pixels from a place."""
    return f'<text class="{kind}" x="{across(x)}" dx="{dx_px:g}" y="{y:.1f}">{escape(words)}</text>'


def labels(label: str, value: str, top: float) -> list[str]:
    """A name at the left, its value at the right."""
    shown = label if len(label) <= _LABEL_LIMIT else f"{label[: _LABEL_LIMIT - 1]}…"
    return [text("", 0, top + 14, shown), text("end strong", 1, top + 14, value)]


def grid(
    values: Sequence[float], x: Callable[[float], float], height: float, said: Callable[[float], str]
) -> list[str]:
    """Upright lines with their numbers below; on a phone every second number is left out."""
    parts = []
    for number, value in enumerate(values):
        at = x(value)
        anchor = "" if at < 0.05 else " end" if at > 0.95 else " centre"
        spare = " spare" if number % 2 and len(values) > 3 else ""
        parts.append(line("grid", at, 0, at, height))
        parts.append(text(f"small{anchor}{spare}", at, height + 17, said(value)))
    return parts


def levels(
    values: Sequence[float], y: Callable[[float], float], said: Callable[[float], str], *, end: float = 1.0
) -> list[str]:
    """Level lines with their numbers at the left of the plot."""
    parts = []
    for value in values:
        parts.append(line("grid", 0, y(value), end, y(value)))
        parts.append(aside("small end", -6, y(value) + 4, said(value)))
    return parts


def sizes_said(size_bytes: float) -> str:
    """Bytes on an axis."""
    return format_bytes(round(size_bytes))
