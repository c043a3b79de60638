"""Accuracy held against another model's on the same samples: as a whole, and class by class."""

from __future__ import annotations

from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._metric import Judged
from edgekit.report._page import Point, PointPlot, Row, Section, Table, Unit
from edgekit.report._plots import share_point

_MOST = 24
_NONE = "–"


def paired_row(paired: Part, metric: Judged, origin: str) -> Row | None:
    """What was lost on the same samples, and whether that is acceptable; None where nobody looked."""
    drop = paired["drop"].number()
    if drop is None:
        return None
    outcome, limit, reason = paired["outcome"].text(20), paired["max_drop"].number(), paired["reason"].text()
    named = f"{metric.name} lost, same samples"
    bounds = [bound.number() for bound in paired["ci95"].items()]
    return Row(
        metric=f"{named}: {outcome}" if outcome else named,
        value=metric.loss(drop),
        interval=_wording.interval(bounds, metric.loss),
        provenance=origin,
        note=_tests(paired, reason or ("" if limit is None else f"{metric.loss(limit)} may be lost")),
    )


def _tests(paired: Part, reason: str | None) -> str:
    lost, won, p_value, needed = (paired[key].number() for key in ("b", "c", "mcnemar_p", "needed"))
    words = [reason] if reason else []
    if lost is not None and won is not None:
        words.append(f"{lost:,.0f} samples lost, {won:,.0f} won")
    if p_value is not None:
        words.append(f"McNemar p {p_value:.2g}")
    if needed is not None:
        words.append(f"{needed:,.0f} samples would settle it")
    return "; ".join(words)


def section(classes: Part, origin: str) -> Section | None:
    """Each class, the largest loss first; without a reference the least accurate first."""
    entries = [one for one in classes.items() if one["value"].number() is not None]
    if not entries:
        return None
    compared = any(one["drop"].number() is not None for one in entries)
    entries.sort(key=_loss if compared else _value)
    header: tuple[str, ...] = ("class", "right", "of", "accuracy", "95 % interval")
    header += ("lost", "95 % of the loss", "p", "") if compared else ()
    rows = tuple(_cells(one, compared=compared) for one in entries)
    worse = [one for one in entries if one["is_worse"].flag()]
    note = "Lost: share of the first model's right answers less this one's, on the same samples."
    said = ", ".join(_name(one) for one in worse[:6]) or "none"
    return Section(
        title="Classes",
        rows=(Row(metric="classes that became worse", value=said, provenance=origin, note=_FAMILY),)
        if compared
        else (),
        note=note if compared else "",
        plot=_drops(entries) if compared else _accuracies(entries),
        table=Table(title="Classes in numbers", header=header, rows=rows),
        marks=(origin,) if origin else (),
    )


_FAMILY = "McNemar's test of each class, all taken together (Holm): one is named by chance in at most 5 of 100 runs"


def _name(one: Part) -> str:
    label = one["label"].count()
    return one["name"].text(30) or ("a class" if label is None else f"class {label}")


def _loss(one: Part) -> float:
    return -(one["drop"].number() or 0.0)


def _value(one: Part) -> float:
    return one["value"].number() or 0.0


def _drops(entries: list[Part]) -> PointPlot | None:
    points = []
    for one in entries[:_MOST]:
        value, bounds = one["drop"].number(), [bound.number() for bound in one["drop_ci95"].items()]
        if value is None or len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
            continue
        mark = ", worse" if one["is_worse"].flag() else ""
        text = f"{_points(value)}{mark}"
        points.append(Point(label=_name(one), text=text, value=value, low=bounds[0], high=bounds[1], is_muted=not mark))
    title = "Accuracy lost by each class, in percent of its samples, with its 95 % interval"
    return PointPlot(title=title, unit=Unit.CHANGE, points=tuple(points), origin=0.0) if points else None


def _accuracies(entries: list[Part]) -> PointPlot | None:
    points = tuple(point for one in entries[:_MOST] if (point := share_point(_name(one), one["value"], one["ci95"])))
    title = "Accuracy of each class with its 95 % interval, the lowest first"
    return PointPlot(title=title, unit=Unit.SHARE, points=points) if points else None


def _points(value: float) -> str:
    return f"{value * 100 + 0.0:+.2f} points".replace("-", "−").replace("+0.00", "0.00")


def _cells(one: Part, *, compared: bool) -> tuple[str, ...]:
    correct, n, value = one["correct"].count(), one["n"].count(), one["value"].number()
    bounds = [bound.number() for bound in one["ci95"].items()]
    cells = (
        _name(one),
        _NONE if correct is None else f"{correct:,}",
        _NONE if n is None else f"{n:,}",
        _NONE if value is None else _wording.share(value),
        _wording.interval(bounds, _wording.share) or _NONE,
    )
    if not compared:
        return cells
    drop, p_value = one["drop"].number(), one["mcnemar_p"].number()
    losses = [bound.number() for bound in one["drop_ci95"].items()]
    return (
        *cells,
        _NONE if drop is None else _points(drop),
        _wording.interval(losses, _points) or _NONE,
        _NONE if p_value is None else f"{p_value:.2g}",
        "worse" if one["is_worse"].flag() else "",
    )
