"""Which point of a front somebody wants: the smallest, the fastest, the balanced one, or the one of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgekit.core.search.goals import Goal

SMALLEST = ("flash_bytes", "size_bytes", "zip_bytes", "ram_bytes", "macs")
"""What makes a point small; the first goal among them counts, else the first that is known of every point."""

FASTEST = ("latency_ns", "instructions", "macs")
"""What makes a point fast, likewise."""

PICKS = ("smallest", "fastest", "balanced")

Values = Mapping[str, float]
"""Of a point, by metric."""


def picks(points: Sequence[Values], goals: Sequence[Goal]) -> dict[str, int]:
    """Place of the point that each word of `PICKS` names.

    Args:
        points: of a front, in the order of their trials.
        goals: of the search; each point has their values.

    Returns:
        A place by word; a word that nothing is known for is left out, and all are for an empty front.
    """
    if not points:
        return {}
    found = {
        "smallest": _least(points, SMALLEST, goals),
        "fastest": _least(points, FASTEST, goals),
        "balanced": knee(points, goals),
    }
    return {word: place for word, place in found.items() if place is not None}


def knee(points: Sequence[Values], goals: Sequence[Goal]) -> int:
    """Place of the point nearest to the ideal one.

    The ideal point has the best value of each goal; distances are euclidean in costs that run from 0 to 1 over the
    front (compromise programming with p = 2: Zeleny 1973). The first of equals is taken.
    """
    costs = [[goal.cost(point[goal.metric]) for goal in goals] for point in points]
    lows = [min(column) for column in zip(*costs, strict=True)]
    spans = [max(column) - low or 1.0 for column, low in zip(zip(*costs, strict=True), lows, strict=True)]

    def distance(place: int) -> float:
        return math.hypot(*((cost - low) / span for cost, low, span in zip(costs[place], lows, spans, strict=True)))

    return min(range(len(points)), key=lambda place: (distance(place), place))


def _least(points: Sequence[Values], metrics: Sequence[str], goals: Sequence[Goal]) -> int | None:
    wanted = {goal.metric for goal in goals}
    ordered = sorted(metrics, key=lambda name: name not in wanted)
    metric = next((name for name in ordered if all(name in point for point in points)), None)
    if metric is None:
        return None
    return min(
        range(len(points)), key=lambda place: (points[place][metric], -points[place].get("accuracy", 0.0), place)
    )
