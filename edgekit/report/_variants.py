"""One model in several forms, as sections of the page."""

from __future__ import annotations

from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Section, Table

_NONE = "–"


def sections(part: Part) -> list[Section]:
    """The forms side by side, and how often each two of them answer the same; nothing for other documents."""
    forms = part["forms"].items()
    if not forms:
        return []
    return [_forms(part, forms), *_agreement(part)]


def _forms(part: Part, forms: list[Part]) -> Section:
    header = ("form", "format", "runtime", "bytes", "zipped", "top-1", "95 % interval", "largest difference", "note")
    samples = part["samples"].count()
    return Section(
        title="Forms of one model",
        rows=(),
        note=f"All on this computer, over the same {samples:,} samples." if samples is not None else "",
        table=Table(title="Forms of one model", header=header, rows=tuple(map(_row, forms))),
    )


def _row(form: Part) -> tuple[str, ...]:
    name = form["recipe"].text(80) or _NONE
    if reason := form["reason"].text():
        return (name, *[_NONE] * 7, f"not made: {reason}")
    difference = form["max_abs_difference"].number()
    accuracy = form["accuracy"]
    value, bounds = accuracy["value"].number(), [bound.number() for bound in accuracy["ci95"].items()]
    interval = " to ".join(f"{bound:.1%}" for bound in bounds if bound is not None)
    fallen = [f"{each['op'].text(60)} x{each['count'].count()}" for each in form["portable_ops"].items()]
    return (
        name,
        form["format"].text(20) or _NONE,
        form["runtime"].text(40) or _NONE,
        *(_count(form[key]) for key in ("size_bytes", "zip_bytes")),
        _NONE if value is None else _wording.share(value),
        interval or _NONE,
        _NONE if difference is None else f"{difference:.3g}",
        f"falls back to portable kernels: {', '.join(fallen)}" if fallen else "",
    )


def _agreement(part: Part) -> list[Section]:
    names = [form["recipe"].text(80) or _NONE for form in part["forms"].items() if not form["reason"]]
    rows = []
    for name in names:
        shares = [part["agreement"][name][other].number() for other in names]
        rows.append((name, *(_NONE if share is None else _wording.share(share) for share in shares)))
    if all(cell == _NONE for row in rows for cell in row[1:]):
        return []
    title = "Same class"
    return [Section(title=title, rows=(), table=Table(title=title, header=("", *names), rows=tuple(rows)))]


def _count(part: Part) -> str:
    count = part.count()
    return _NONE if count is None else f"{count:,}"
