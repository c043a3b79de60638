"""A picture of searches for the documents: how the front grows with what is asked, as SVG for light and dark pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from edgekit.report._canvas import ticks

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 66, 92
_COLOURS = ("#2166ac", "#1b7837", "#b2660e", "#777777")
"""Told apart by the common kinds of colour blindness; the lines' dashes differ too."""
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.small{font-size:12px;fill:#555}.grid{stroke:#ddd}"
    ".page{fill:#fff}.mark{stroke:#c0392b;fill:none;stroke-width:1.5}"
    "@media (prefers-color-scheme:dark){text{fill:#eee}.small{fill:#bbb}.grid{stroke:#444}.page{fill:#16181c}}"
)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One strategy.

    Attributes:
        label: of it.
        low, middle, high: 0 to 1, after one question, after two, and so on.
    """

    label: str
    low: tuple[float, ...]
    middle: tuple[float, ...]
    high: tuple[float, ...]


def plot(curves: Sequence[Curve], *, title: str, note: str, marks: Sequence[tuple[float, float]] = ()) -> str:
    """The SVG document.

    Args:
        curves: at most four.
        title, note: above and below.
        marks: goals, as (questions, share).
    """
    most = max(len(curve.middle) for curve in curves)
    least = min(0.9, *(min(curve.middle) for curve in curves))

    def x(questions: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * questions / most

    def y(share: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - (max(share, least) - least) / (1 - least))

    parts = [f'<rect class="page" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>']
    parts.append(f'<text x="{_LEFT}" y="24">{escape(title)}</text>')
    for share in ticks(least, 1.0):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
        )
        parts.append(f'<text class="small" text-anchor="end" x="{_LEFT - 8}" y="{y(share) + 4:.1f}">{share:.0%}</text>')
    below = _HEIGHT - _BOTTOM + 18
    parts += [
        f'<text class="small" text-anchor="middle" x="{x(questions):.1f}" y="{below}">{questions:g}</text>'
        for questions in ticks(0, most)
    ]
    for number, curve in enumerate(curves):
        colour, dash = _COLOURS[number], _DASHES[number]
        places = range(1, len(curve.middle) + 1)
        edge = [*zip(places, curve.high, strict=True), *reversed([*zip(places, curve.low, strict=True)])]
        parts.append(f'<polygon points="{_points(edge, x, y)}" fill="{colour}" opacity="0.13"/>')
        line = _points([*zip(places, curve.middle, strict=True)], x, y)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        key = _LEFT + (_WIDTH - _LEFT - _RIGHT) * number / len(curves)
        parts.append(
            f'<line x1="{key:.0f}" x2="{key + 26:.0f}" y1="46" y2="46" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/><text class="small" x="{key + 32:.0f}" y="50">{escape(curve.label)}</text>'
        )
    parts += [f'<circle class="mark" cx="{x(place):.1f}" cy="{y(share):.1f}" r="6"/>' for place, share in marks]
    parts.append(f'<text class="small" x="{_LEFT}" y="{below + 24}">questions to the device; {escape(note)}</text>')
    if marks:
        parts.append(f'<text class="small" x="{_LEFT}" y="{below + 44}">circle: the goal</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img"><title>{escape(title)}</title><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _points(places: Sequence[tuple[float, float]], x: Callable[[float], float], y: Callable[[float], float]) -> str:
    return " ".join(f"{x(at):.1f},{y(share):.1f}" for at, share in places)
