"""The plots as inline SVG: no script, no network, colours from the page's style sheet, as wide as there is room."""

from __future__ import annotations

from edgekit.report import _curves, _front_marks, _marks, memory_plan
from edgekit.report._canvas import ticks
from edgekit.report._front import FrontPlot
from edgekit.report._page import (
    AmountPlot,
    CurvePlot,
    LatencyPlot,
    MemoryPlot,
    Plot,
    PointPlot,
    TradeoffPlot,
    TrendPlot,
)

__all__ = ["draw", "styled", "ticks"]


def draw(plot: Plot) -> str:
    """A plot as one element with a title and a description: an `<svg>`, or what holds several of them."""
    match plot:
        case AmountPlot():
            return _marks.amounts(plot)
        case PointPlot():
            return _marks.points(plot)
        case LatencyPlot():
            return _marks.strips(plot)
        case TradeoffPlot():
            return _curves.tradeoff(plot)
        case CurvePlot():
            return _curves.curves(plot)
        case TrendPlot():
            return _curves.trend(plot)
        case MemoryPlot():
            return memory_plan.draw(plot)
        case FrontPlot():
            return _front_marks.draw(plot)


def styled(plot: Plot) -> str:
    """The style rules that a plot needs besides the page's; none for most."""
    return _front_marks.styled(plot) if isinstance(plot, FrontPlot) else ""
