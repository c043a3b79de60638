"""The front of a search as values: axes, points with what is known of them, and what else was tried."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FrontAxis:
    """A goal.

    Attributes:
        metric: one of `edgekit.core.search.goals.METRICS`.
        label: in words.
        maximize: whether more is better.
        is_share: whether its values run from 0 to 1 and are written in percent.
        limit: what must not be passed; None without one.
    """

    metric: str
    label: str
    maximize: bool = False
    is_share: bool = False
    limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class FrontFigure:
    """A value of a point in words: its name, itself, its interval, where it comes from."""

    label: str
    value: str
    interval: str = ""
    provenance: str = ""


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """A point of the front.

    Attributes:
        trial: its number.
        words: what it is the best in: "smallest", "fastest", "balanced".
        values: one a axis.
        bounds: the 95 % interval of each value; None where it has none.
        figures: all that is known, in words.
        settings: the parameters in a line.
        recipe: the steps in a line; empty where they say no more.
        command: that deploys it.
        remark: what speaks against it; empty for nothing.
    """

    trial: int
    words: tuple[str, ...]
    values: tuple[float, ...]
    bounds: tuple[tuple[float, float] | None, ...]
    figures: tuple[FrontFigure, ...]
    settings: str
    recipe: str
    command: str
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class FrontOther:
    """A trial that a point of the front beats: its values, one a axis, and what a pointer on it is told."""

    values: tuple[float, ...]
    text: str


@dataclass(frozen=True, kw_only=True)
class FrontPlot:
    """A front, drawn once for each axis but the first, which goes upwards.

    Attributes:
        title: what the plot shows.
        axes: one a goal, at least two.
        points: at least one.
        others: what was tried besides.
        first: place of the point that is told of before anybody chooses one.
    """

    title: str
    axes: tuple[FrontAxis, ...]
    points: tuple[FrontPoint, ...]
    others: tuple[FrontOther, ...] = ()
    first: int = 0
