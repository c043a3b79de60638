"""Draws the front of a search: a plane for each pair of goals, and a card a point that hovering or choosing it shows.

All of it is links, radio buttons and style rules: the page runs no script (docs/adr/0003).
"""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.report import _canvas as svg
from edgekit.report import search_wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgekit.report._front import FrontAxis, FrontFigure, FrontPlot, FrontPoint

_STYLE = Path(__file__).parent / "templates" / "front.css"
_HEIGHT, _TOP = 260.0, 10.0
_WIDE = 20.0
"""An axis whose largest value is so many times its least is logarithmic."""

_NEAR = 0.09
"""Words of points closer than this share of the width are written on different lines."""


def draw(plot: FrontPlot) -> str:
    """The planes, the choice between them, and the cards."""
    across = range(1, len(plot.axes))
    choice = "".join(_choice(plot, place) for place in across) if len(plot.axes) > 2 else ""
    views = "".join(f'<div class="view view-{place}">{_plane(plot, place)}</div>' for place in across)
    cards = "".join(_card(point, is_first=place == plot.first) for place, point in enumerate(plot.points))
    told = "Hover over a point, or choose it, to see it below with the command that deploys it."
    return (
        f'<div class="front">{choice}{views}<p class="quiet front-help">{told}</p>'
        f'<div class="cards" aria-live="polite">{cards}</div></div>'
    )


def styled(plot: FrontPlot) -> str:
    """The style rules of `draw`: a rule shows the card of the point that is pointed at."""
    rules = [_STYLE.read_text(encoding="utf-8")]
    rules += [f".front:has(#axis-{place}:checked) .view-{place} {{ display: block; }}" for place in _places(plot)]
    for point in plot.points:
        at = f'.view a[href="#trial-{point.trial}"]'
        shown = ", ".join(f".front:has({at}:{state}) #trial-{point.trial}.card" for state in ("hover", "focus-visible"))
        rules.append(f"{shown} {{ display: block; }}")
        rules.append(f".front:has(#trial-{point.trial}:target) {at} .bar {{ stroke: var(--text); }}")
    return "\n".join(rules) + "\n"


def _places(plot: FrontPlot) -> range:
    return range(1, len(plot.axes) if len(plot.axes) > 2 else 1)


def _choice(plot: FrontPlot, place: int) -> str:
    checked = " checked" if place == 1 else ""
    name = escape(f"{plot.axes[0].label} against {plot.axes[place].label}")
    return f'<label><input type="radio" name="axis" id="axis-{place}"{checked}> {name}</label>'


def _plane(plot: FrontPlot, place: int) -> str:
    """The first goal upwards, another to the right; a line joins the points that no other beats in these two."""
    up, right = plot.axes[0], plot.axes[place]
    seen = [other for other in plot.others if _is_near(plot, other.values, place)]
    y_of = _scale(up, [end for point in plot.points for end in _ends(point, 0)], [other.values[0] for other in seen])
    x_of = _scale(
        right, [end for point in plot.points for end in _ends(point, place)], [other.values[place] for other in seen]
    )

    def x(value: float) -> float:
        return x_of[0](value)

    def y(value: float) -> float:
        return _TOP + (1 - y_of[0](value)) * (_HEIGHT - _TOP)

    parts = svg.grid(x_of[1], x, _HEIGHT, search_wording.axis(right.metric, is_share=right.is_share))
    parts += svg.levels(y_of[1], y, search_wording.axis(up.metric, is_share=up.is_share))
    if right.limit is not None and 0 <= x(right.limit) <= 1:
        parts.append(svg.line("middle", x(right.limit), 0, x(right.limit), _HEIGHT))
        parts.append(svg.beside("small end", x(right.limit), -5, _TOP + 4, "limit"))
    if up.limit is not None and _TOP <= y(up.limit) <= _HEIGHT:
        parts.append(svg.line("middle", 0, y(up.limit), 1, y(up.limit)))
    parts += [_other(x(other.values[place]), y(other.values[0]), other.text) for other in seen]
    parts += _stairs(plot, place, x, y)
    for point in sorted(plot.points, key=lambda one: bool(one.words)):
        parts.append(_dot(point, place, x, y))
    parts += _words(plot.points, place, x, y)
    parts.append(svg.text("small end", 1, _HEIGHT + svg.AXIS + 10, f"{right.label} →"))
    hidden = len(plot.others) - len(seen)
    away = f"; {hidden} other trials lie off the axes" if hidden else ""
    described = f"{len(plot.points)} points of the front and {len(seen)} other trials{away}. {_direction(up, right)}"
    return (
        f'<svg class="chart inset" height="{_HEIGHT + svg.AXIS + 16:g}" role="group" '
        f'aria-label="{escape(f"{up.label} against {right.label}")}"><desc>{escape(described)}</desc>'
        f"{''.join(parts)}</svg>"
        + (f'<p class="quiet">{hidden} trials that were far worse lie off the axes.</p>' if hidden else "")
    )


def _direction(up: FrontAxis, right: FrontAxis) -> str:
    vertical, horizontal = "up" if up.maximize else "down", "right" if right.maximize else "left"
    return f"Better is {vertical} and to the {horizontal}. The axes need not start at zero."


def _ends(point: FrontPoint, place: int) -> tuple[float, ...]:
    return (point.values[place], *(point.bounds[place] or ()))


def _is_near(plot: FrontPlot, values: Sequence[float], place: int) -> bool:
    """Whether a trial is drawn: one that is far worse would squeeze the front into a corner."""
    for axis in (0, place):
        own = [point.values[axis] for point in plot.points]
        room = max(max(own) - min(own), 0.1 * max(map(abs, own)), 1e-9)
        if not min(own) - 2 * room <= values[axis] <= max(own) + 2 * room:
            return False
    return True


def _scale(
    axis: FrontAxis, own: Sequence[float], others: Sequence[float]
) -> tuple[Callable[[float], float], list[float]]:
    """From a value to a share of the axis, and the values that are written on it."""
    ends = [*own, *others]
    low, high = min(ends), max(ends)
    if axis.limit is not None and low <= axis.limit <= high + 0.3 * (high - low):
        high = max(high, axis.limit)
    if low > 0 and high / low > _WIDE:
        start, span = math.log(low) - 0.1, math.log(high / low) + 0.2
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        marks = [10.0**power for power in powers if start <= math.log(10.0**power) <= start + span]
        return (lambda value: (math.log(value) - start) / span if value > 0 else -1.0), marks
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    first, last = low - room, high + room
    if axis.is_share:
        first, last = max(first, 0.0), min(last, 1.0) if last > 1 > high else last
    elif low >= 0:
        first = max(first, 0.0)
    unit = 1024 if axis.metric.endswith("_bytes") and last >= 10 * 1024 else 1
    marks = [unit * mark for mark in svg.ticks(first / unit, last / unit)]
    return (lambda value: (value - first) / (last - first)), marks


def _stairs(plot: FrontPlot, place: int, x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    """The steps of the front in these two goals."""
    up, right = plot.axes[0], plot.axes[place]

    def cost(point: FrontPoint) -> tuple[float, float]:
        pair = point.values[place], point.values[0]
        return -pair[0] if right.maximize else pair[0], -pair[1] if up.maximize else pair[1]

    parts, before = [], None
    for point in sorted(plot.points, key=cost):
        if before is not None and cost(point)[1] >= cost(before)[1]:
            continue
        if before is not None:
            corner = x(point.values[place])
            parts.append(svg.line("front", x(before.values[place]), y(before.values[0]), corner, y(before.values[0])))
            parts.append(svg.line("front", corner, y(before.values[0]), corner, y(point.values[0])))
        before = point
    return parts


def _dot(point: FrontPoint, place: int, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """A point as a link to its card, with its intervals."""
    at, level = x(point.values[place]), y(point.values[0])
    parts = []
    if (bounds := point.bounds[0]) is not None and bounds[0] < bounds[1]:
        parts.append(svg.line("bar whole", at, y(bounds[0]), at, y(bounds[1])))
    if (bounds := point.bounds[place]) is not None and bounds[0] < bounds[1]:
        parts.append(svg.line("bar whole", x(bounds[0]), level, x(bounds[1]), level))
    said = "; ".join(f"{figure.label} {figure.value}" for figure in point.figures)
    return (
        f'<a href="#trial-{point.trial}" aria-label="{escape(f"trial {point.trial}: {said}")}">{"".join(parts)}'
        f"{svg.dot('hit', at, level, 11)}{svg.dot('bar', at, level, 5)}</a>"
    )


def _other(at: float, level: float, text: str) -> str:
    """A trial that is beaten; browsers show its title to whoever points at it."""
    return f'<circle class="muted" cx="{svg.across(at)}" cy="{level:.1f}" r="3"><title>{escape(text)}</title></circle>'


def _words(
    points: Sequence[FrontPoint], place: int, x: Callable[[float], float], y: Callable[[float], float]
) -> list[str]:
    """What a point is the best in, beside it; neighbours are written on different lines."""
    parts: list[str] = []
    written: list[tuple[float, float]] = []
    for point in sorted((one for one in points if one.words), key=lambda one: x(one.values[place])):
        at, level = x(point.values[place]), y(point.values[0]) - 10
        while any(abs(at - other) < 3 * _NEAR and abs(level - line) < 13 for other, line in written):
            level += 13
        written.append((at, level))
        anchor, distance = (" end", -9) if at > 0.6 else ("", 9)
        parts.append(svg.beside(f"small halo{anchor}", at, distance, level, ", ".join(point.words)))
    return parts


def _card(point: FrontPoint, *, is_first: bool) -> str:
    figures = "".join(map(_figure, point.figures))
    words = f" <small>{escape(', '.join(point.words))}</small>" if point.words else ""
    steps = f'<p class="quiet">recipe: {escape(point.recipe)}</p>' if point.recipe else ""
    remark = f'<p class="remark">{escape(point.remark)}</p>' if point.remark else ""
    return (
        f'<article class="card{" first" if is_first else ""}" id="trial-{point.trial}">'
        f"<h3>Trial {point.trial}{words}</h3><dl>{figures}</dl>"
        f'<p class="quiet">{escape(point.settings)}</p>{steps}{remark}'
        f'<pre class="copy" tabindex="0" aria-label="command that deploys trial {point.trial}">'
        f"<code>{escape(point.command)}</code></pre></article>"
    )


def _figure(figure: FrontFigure) -> str:
    interval = f"<small>{escape(figure.interval)}</small>" if figure.interval else ""
    origin = f'<span class="flags">{escape(figure.provenance)}</span>' if figure.provenance else ""
    return f"<div><dt>{escape(figure.label)}</dt><dd>{escape(figure.value)}{interval}{origin}</dd></div>"
