"""One model in several forms, as sections of the page."""

from __future__ import annotations

from edgekit.core.measurement import Provenance
from edgekit.core.units import format_bytes
from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Row, Section, Table, Tradeoff, TradeoffPlot
from edgekit.report._plots import share_point

_NONE = "–"
_DIFFERENCE = "From float: the largest difference of an output."


def sections(part: Part) -> list[Section]:
    """The forms side by side, and how often each two of them answer the same; nothing for other documents."""
    forms = part["forms"].items()
    if not forms:
        return []
    return [_forms(part, forms), *_agreement(part)]


def _forms(part: Part, forms: list[Part]) -> Section:
    samples = part["samples"].count()
    header = ("form", "runtime", "bytes", "zipped", "top-1", "95 %", "from float")
    return Section(
        title="Forms of one model",
        rows=tuple(row for form in forms for row in _remarks(form)),
        note="" if samples is None else f"All on this computer, over the same {samples:,} samples. {_DIFFERENCE}",
        plot=_plane(forms),
        marks=(Provenance.MEASURED,),
        table=Table(
            title="Forms of one model", header=header, rows=tuple(_row(form) for form in forms if not form["reason"])
        ),
    )


def _plane(forms: list[Part]) -> TradeoffPlot | None:
    """Accuracy against zipped bytes; None with fewer than two forms that have both."""
    points = []
    for form in forms:
        size_bytes, accuracy = form["zip_bytes"].count(), form["accuracy"]
        point = share_point("", accuracy["value"], accuracy["ci95"])
        if size_bytes is not None and point is not None:
            points.append(
                Tradeoff(
                    label=form["recipe"].text(60) or _NONE,
                    text=f"{format_bytes(size_bytes)}, {point.text}",
                    size_bytes=size_bytes,
                    value=point.value,
                    low=point.low,
                    high=point.high,
                )
            )
    title = "Accuracy against the bytes of the transfer (zipped); the line joins what nothing beats in both"
    return TradeoffPlot(title=title, points=tuple(points)) if len(points) > 1 else None


def _row(form: Part) -> tuple[str, ...]:
    difference, accuracy = form["max_abs_difference"].number(), form["accuracy"]
    value, bounds = accuracy["value"].number(), [bound.number() for bound in accuracy["ci95"].items()]
    interval = "\N{EN DASH}".join(f"{100 * bound:.1f}" for bound in bounds if bound is not None)
    return (
        form["recipe"].text(80) or _NONE,
        form["runtime"].text(40) or _NONE,
        *(_count(form[key]) for key in ("size_bytes", "zip_bytes")),
        _NONE if value is None else _wording.share(value),
        interval or _NONE,
        _NONE if difference is None else f"{difference:.2g}",
    )


def _remarks(form: Part) -> list[Row]:
    """A form that could not be made, and operators that its delegate leaves to slower kernels."""
    name = form["recipe"].text(80) or _NONE
    if reason := form["reason"].text():
        return [Row(metric=name, value=f"not made: {reason}")]
    fallen = [f"{each['op'].text(60)} x{each['count'].count()}" for each in form["portable_ops"].items()]
    return [Row(metric=name, value=f"leaves to portable kernels: {', '.join(fallen)}")] if fallen else []


def _agreement(part: Part) -> list[Section]:
    names = [form["recipe"].text(80) or _NONE for form in part["forms"].items() if not form["reason"]]
    rows = []
    for place, name in enumerate(names, start=1):
        shares = [part["agreement"][name][other].number() for other in names]
        rows.append((f"{place} {name}", *(_NONE if share is None else _wording.share(share) for share in shares)))
    if all(cell == _NONE for row in rows for cell in row[1:]):
        return []
    header = ("", *(str(place) for place in range(1, 1 + len(names))))
    return [Section(title="Same class", rows=(), table=Table(title="Same class", header=header, rows=tuple(rows)))]


def _count(part: Part) -> str:
    count = part.count()
    return _NONE if count is None else f"{count:,}"
