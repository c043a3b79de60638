"""The front of a search on the page: its plot, its table, and the best of each goal."""

from __future__ import annotations

from edgekit.report import _search_parts as read
from edgekit.report import search_wording as wording
from edgekit.report._document import Part
from edgekit.report._front import FrontAxis, FrontFigure, FrontOther, FrontPlot, FrontPoint
from edgekit.report._page import Row, Section, Table

_NONE = "\N{EN DASH}"
_LONG = 4000
_SPREAD = ("accuracy", "latency_ns")
"""Metrics whose intervals the table has room for."""

_COLUMNS = 4
"""So many figures of a point stand in the table; its card has them all."""


def headline(part: Part) -> list[Row]:
    """The best of each goal."""
    rows, points, is_share = [], part["front"].items(), read.is_share(part)
    for goal in part["goals"].items():
        metric = goal["metric"].text(40)
        known = [(point["values"][metric].number(), point) for point in points] if metric else []
        found = [(value, point) for value, point in known if value is not None]
        if metric is None or not found:
            continue
        value, point = (max if goal["maximize"].flag() else min)(found, key=lambda one: one[0])
        bounds = read.bounds(point, metric)
        rows.append(
            Row(
                metric=f"Best {wording.label(metric)}: trial {point['trial'].count()}",
                value=wording.amount(metric, value, is_share=is_share),
                interval=wording.interval(metric, bounds, is_share=is_share) if bounds else "",
                provenance=read.origin(part, point, metric),
            )
        )
    return rows


def section(part: Part) -> Section:
    """The points with their plot; only a title where there is none."""
    points, is_share = part["front"].items(), read.is_share(part)
    common = wording.shared([read.params(point) for point in points])
    metrics = read.metrics(part)[: max(_COLUMNS, len(read.goals(part)))]
    header = ("trial", *(wording.label(metric) for metric in metrics), "settings")
    rows = tuple(
        (
            str(point["trial"].count()),
            *(_cell(point, metric, is_share=is_share) for metric in metrics),
            ": ".join(filter(None, (", ".join(read.words(point)), wording.settings(read.params(point), common))))
            or _NONE,
        )
        for point in points
    )
    notes = [f"All have {wording.settings(common)}."] if common else []
    if part["interrupted"].flag():
        notes.append("The search was interrupted; edgekit search with --resume goes on.")
    return Section(
        title="The front",
        rows=(),
        note=" ".join(notes),
        plot=_plot(part),
        marks=(read.provenance(part),),
        table=Table(title="Points that nothing beats in all goals", header=header, rows=rows) if rows else None,
    )


def _plot(part: Part) -> FrontPlot | None:
    """None with fewer than two goals, or without a point that has them all."""
    goals, is_share = read.goals(part), read.is_share(part)
    points = [point for part_ in part["front"].items() if (point := _point(part, part_)) is not None]
    if len(goals) < 2 or not points:
        return None
    limits = {limit["metric"].text(40): limit["most"].number() for limit in part["limits"].items()}
    up = {goal["metric"].text(40) for goal in part["goals"].items() if goal["maximize"].flag()}
    axes = tuple(
        FrontAxis(
            metric=metric,
            label=wording.label(metric),
            maximize=metric in up,
            is_share=metric == "accuracy" and is_share,
            limit=limits.get(metric),
        )
        for metric in goals
    )
    of_front = {point.trial for point in points}
    others = tuple(
        FrontOther(values=values, text=f"trial {trial['trial'].count()}: {read.said(trial, goals, is_share)}")
        for trial in part["tried"].items()
        if trial["state"].text(20) == "complete"
        and trial["trial"].count() not in of_front
        and (values := read.values(trial, goals)) is not None
    )
    balanced = next((place for place, point in enumerate(points) if "balanced" in point.words), 0)
    title = "Each dot is a trial; the line joins the points that nothing beats in these two"
    return FrontPlot(title=title, axes=axes, points=tuple(points), others=others, first=balanced)


def _point(part: Part, point: Part) -> FrontPoint | None:
    values, trial, is_share = read.values(point, read.goals(part)), point["trial"].count(), read.is_share(part)
    if values is None or trial is None:
        return None
    steps = [(step["pass"].text(60) or _NONE, read.leaves(step["params"])) for step in point["steps"].items()]
    flags = [text for flag in point["flags"].items() if (text := flag.text(20)) and text not in ("VALID", "EMULATED")]
    figures = []
    for metric in read.metrics(part):
        if (value := point["values"][metric].number()) is None:
            continue
        bounds = read.bounds(point, metric)
        figures.append(
            FrontFigure(
                label=wording.label(metric),
                value=wording.amount(metric, value, is_share=is_share),
                interval=wording.interval(metric, bounds, is_share=is_share) if bounds else "",
                provenance=" ".join([read.origin(part, point, metric), *(flags if metric.endswith("_ns") else ())]),
            )
        )
    return FrontPoint(
        trial=trial,
        words=tuple(read.words(point)),
        values=values,
        bounds=tuple(read.bounds(point, metric) for metric in read.goals(part)),
        figures=tuple(figures),
        settings=wording.settings(read.params(point)),
        recipe=wording.recipe(steps),
        command=point["deploy"].text(_LONG) or "",
        remark=f"no bundle: {reason}" if (reason := point["bundle_reason"].text()) and not point["bundle"] else "",
    )


def _cell(point: Part, metric: str, *, is_share: bool) -> str:
    value, bounds = point["values"][metric].number(), read.bounds(point, metric)
    if value is None:
        return _NONE
    said = wording.amount(metric, value, is_share=is_share)
    return f"{said} ({wording.interval(metric, bounds, is_share=is_share)})" if bounds and metric in _SPREAD else said
