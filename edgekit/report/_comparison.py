"""Two artifacts or two runs held against each other: whether they may be, and what changed."""

from __future__ import annotations

import json
from typing import Any

from edgekit.core.units import format_bytes, format_ns
from edgekit.report import _classes, _wording
from edgekit.report._document import Part
from edgekit.report._metric import Judged
from edgekit.report._page import Conclusion, Point, PointPlot, Row, Section, Table, Unit
from edgekit.report._profile import short_name

_NONE = "–"
_MOST = 16
_WORDS = {
    "slower": ("fail", "slower"),
    "faster": ("pass", "faster"),
    "same": ("pass", "the same"),
    "inconclusive": ("open", "inconclusive"),
}
_FIGURES = {
    "latency": "latency", "memory": "memory", "instructions": "instructions", "operators": "operators",
    "accuracy": "accuracy",
}  # fmt: skip


def is_comparison(part: Part) -> bool:
    """Whether the document holds figures of two sides from devices or stored runs."""
    judged = part["accuracy"]["outcome"].present
    return (judged or any(part[key].present for key in ("comparability", "latency"))) and not part["profile"]


def sections(part: Part) -> list[Section]:
    """What differs, time, memory and instructions, operators, accuracy, classes; nothing for other documents."""
    if not is_comparison(part):
        return []
    origin = part["provenance"].text(20) or ""
    found = [_figures(part, origin), _accuracy(part, origin), _classes.section(part["per_class"], origin)]
    found += [_operators(part, origin), _sides(part), _differences(part)]
    return [section for section in found if section is not None]


def conclusion(part: Part) -> Conclusion | None:
    """What is proven of the second one's latency, or that nothing may be said."""
    if not is_comparison(part):
        return None
    refused = [f"{name}: {text}" for name in _FIGURES if (text := part["refused"][name].text())]
    latency = part["latency"]
    if latency["change"].text() in _WORDS:
        kind, word = _WORDS[latency["change"].text() or ""]
        return Conclusion(kind=kind, word=f"B is {word}" if kind != "open" else word, reason=_said(latency))
    if refused:
        return Conclusion(kind="open", word="not comparable", reason=". ".join(refused))
    reason = part["latency_reason"].text()
    return Conclusion(kind="open", word="no verdict", reason=reason) if reason else None


def _said(latency: Part) -> str:
    flags = [text for flag in latency["flags"].items() if (text := flag.text(20))]
    marked = f" Flags: {', '.join(flags)}." if flags else ""
    return f"{latency['reason'].text() or ''}.{marked}"


def _sides(part: Part) -> Section | None:
    rows = []
    for side in ("a", "b"):
        run = part["runs"][side]
        if name := run["run_id"].text(60):
            cells = (run["device"].text(60), run["created_utc"].text(40), (run["artifact_sha256"].text() or "")[:12])
            rows.append((side.upper(), name, *(cell or _NONE for cell in cells)))
    if not rows:
        return None
    header = ("", "run", "device", "made", "artifact")
    return Section(title="The two runs", rows=(), table=Table(title="The two runs", header=header, rows=tuple(rows)))


def _differences(part: Part) -> Section | None:
    found = part["comparability"].items()
    if not part["comparability"].present:
        return None
    rows = []
    for one in found:
        blocked = [text for item in one["blocks"].items() if (text := item.text(20))]
        rows.append(
            (
                (one["what"].text(40) or _NONE).replace("_", " "), _shown(one["a"]), _shown(one["b"]),
                ", ".join(blocked) or "nothing", one["reason"].text() or "",
            )
        )  # fmt: skip
    note = "What the two do not share. No verdict is given on a figure that is blocked." if rows else ""
    table = Table(title="Differences", header=("what", "A", "B", "blocks", "why"), rows=tuple(rows))
    return Section(
        title="Comparable?",
        rows=() if rows else (Row(metric="differences", value="none that is known"),),
        note=note,
        table=table if rows else None,
    )


def _shown(part: Part) -> str:
    text = part.text(64)
    if text is not None:
        return text[:12] if len(text) == 64 else text
    leaves = [f"{name} {value}" for name, value in part.entries()]
    if leaves:
        return ", ".join(leaves[:6])
    items: list[Any] = [item.text(20) or item.number() for item in part.items()]
    if items:
        return ", ".join(str(int(item)) if isinstance(item, float) else str(item) for item in items)
    number = part.number()
    return _NONE if number is None else json.dumps(int(number) if number == int(number) else number)


def _flags(part: Part) -> tuple[str, ...]:
    flags = [text for flag in part["flags"].items() if (text := flag.text(20))]
    return tuple(flag for flag in flags if flag != "EMULATED") if flags else ("VALID",)


def _figures(part: Part, origin: str) -> Section | None:
    rows, points = [], []
    for key, measure in (("latency", _latency), ("memory", _memory), ("instructions", _instructions)):
        figure = part[key]
        if not figure:
            refused = part["refused"][key].text()
            if refused:
                rows.append(Row(metric=key, value="no verdict", note=refused))
            continue
        emulated = any(flag.text() == "EMULATED" for flag in figure["flags"].items())
        row, point = measure(figure, origin or ("emulated" if emulated else "measured"))
        rows.append(row)
        points += [point] if point else []
    if reason := part["latency_reason"].text():
        rows.insert(0, Row(metric="latency", value="no verdict", note=reason))
    if not rows:
        return None
    margin = part["latency"]["margin"].number()
    plot = PointPlot(
        title="Change from A to B, left is less"
        + ("" if margin is None else "; the band is the margin within which nothing counts as a change of latency"),
        unit=Unit.CHANGE,
        points=tuple(points),
        band=None if margin is None else (-margin, margin),
        origin=0.0,
    )
    drawn = len(points) > 1 or any(point.high > point.low for point in points)
    marks = tuple(dict.fromkeys(mark for row in rows for mark in (row.provenance, *row.validity) if mark))
    return Section(title="A against B", rows=tuple(rows), plot=plot if drawn else None, marks=marks)


def _latency(figure: Part, origin: str) -> tuple[Row, Point | None]:
    ratio, a, b = (figure[key].number() for key in ("ratio", "a_ns", "b_ns"))
    bounds = [bound.number() for bound in figure["ci95"].items()]
    sides = "" if a is None or b is None else f"{format_ns(a)} → {format_ns(b)}"
    n = [str(item.count()) for item in figure["n"].items()]
    power, margin, p_value = (figure[key].number() for key in ("power", "margin", "p_value"))
    words = [sides, figure["change"].text(20) or "", f"{' and '.join(n)} processes" if n else ""]
    words += ["" if p_value is None else f"p {p_value:.2g}", "" if margin is None else f"margin {margin * 100:.1f} %"]
    words += ["" if power is None else f"finds a change of 5 % in {power * 100:.0f} % of such runs"]
    words += ["in one session, in turn" if figure["one_session"].flag() else "two sessions"]
    row = Row(
        metric="latency, median",
        value=_NONE if ratio is None else _wording.change(ratio - 1),
        interval=" – ".join(_wording.change(bound - 1) for bound in bounds if bound is not None),
        provenance=origin,
        validity=_flags(figure),
        note="; ".join(word for word in words if word),
    )
    if ratio is None or len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
        return row, None
    text = _wording.change(ratio - 1)
    return row, Point(label="latency", text=text, value=ratio - 1, low=bounds[0] - 1, high=bounds[1] - 1)


def _memory(figure: Part, origin: str) -> tuple[Row, Point | None]:
    ratio = figure["ratio"].number()
    sides = [figure[side]["peak_rss_bytes"].number() for side in ("a", "b")]
    said = " → ".join(format_bytes(round(size)) for size in sides if size is not None)
    ranges = []
    for side in ("a", "b"):
        ends = [end.number() for end in figure[side]["range"].items()]
        ranges.append(_wording.interval(ends, lambda size: format_bytes(round(size))))
    row = Row(
        metric="memory, peak",
        value=said if ratio is None else _wording.change(ratio - 1),
        provenance=origin,
        validity=_flags(figure),
        note=said + (f"; ranges {ranges[0]} and {ranges[1]}" if all(ranges) else ""),
    )
    return row, None if ratio is None else _bare("memory", ratio)


def _instructions(figure: Part, origin: str) -> tuple[Row, Point | None]:
    ratio = figure["ratio"].number()
    sides = [figure[side]["value"].count() for side in ("a", "b")]
    said = " → ".join(f"{count:,}" for count in sides if count is not None)
    exact = all(figure[side]["exact"].flag() for side in ("a", "b"))
    row = Row(
        metric="instructions of one call",
        value=said if ratio is None else _wording.change(ratio - 1),
        provenance=origin,
        validity=("exact",) if exact else ("counted",),
        note=f"{said}; counted by {figure['b']['source'].text(40) or 'a counter'}",
    )
    return row, None if ratio is None else _bare("instructions", ratio)


def _bare(label: str, ratio: float) -> Point:
    return Point(label=label, text=_wording.change(ratio - 1), value=ratio - 1, low=ratio - 1, high=ratio - 1)


def _operators(part: Part, origin: str) -> Section | None:
    rows = [row for row in part["operators"].items() if row["op"].text()]
    if not rows:
        reason = part["operators_reason"].text()
        if not reason or reason == _wording.NOT_ASKED:
            return None
        missing = Row(metric="time of each operator", value=_wording.NOT_MEASURED, note=reason)
        return Section(title="Operators, A against B", rows=(missing,))
    header = ("operator", "layer", "A", "B", "change", "A instructions", "B instructions")
    cells = []
    for row in rows:
        a, b, ratio = (row[key].number() for key in ("a_ns", "b_ns", "ratio"))
        counts = (row[key].count() for key in ("a_instructions", "b_instructions"))
        cells.append(
            (
                row["op"].text(60) or _NONE, short_name(row["name"].text(80) or _NONE),
                _NONE if a is None else format_ns(a), _NONE if b is None else format_ns(b),
                _NONE if ratio is None else _wording.change(ratio - 1),
                *(_NONE if count is None else f"{count:,}" for count in counts),
            )
        )  # fmt: skip
    changes = [(abs((row["b_ns"].number() or 0) - (row["a_ns"].number() or 0)), n) for n, row in enumerate(rows)]
    largest = [rows[n] for gap, n in sorted(changes, key=lambda one: (-one[0], one[1])) if gap][:_MOST]
    points = [
        Point(label=row["op"].text(40) or "", text=_moved(row), value=ratio - 1, low=ratio - 1, high=ratio - 1)
        for row in largest
        if (ratio := row["ratio"].number()) is not None
    ]
    plot = PointPlot(
        title="Change of each operator's time, those that moved most first", unit=Unit.CHANGE, points=tuple(points),
        origin=0.0,
    )  # fmt: skip
    marks = tuple(mark for mark in (origin, *_flags(part["latency"])) if mark)
    table = Table(title="Operators of A and B", header=header, rows=tuple(cells))
    return Section(
        title="Operators, A against B", rows=(), plot=plot if points else None, table=table, marks=marks,
        note="Medians of processes of their own; they carry no interval here, so take them as a hint where to look.",
    )  # fmt: skip


def _moved(row: Part) -> str:
    a, b = row["a_ns"].number() or 0.0, row["b_ns"].number() or 0.0
    sign = "+" if b >= a else "−"
    return f"{sign}{format_ns(abs(b - a))}"


def _accuracy(part: Part, origin: str) -> Section | None:
    accuracy = part["accuracy"]
    if accuracy["float"].present or accuracy["artifact"].present:
        return None
    name = accuracy["metric"].text(30) or "top-1"
    judged = Judged() if name in ("top1", "top-1") else Judged(name=name)
    row = _classes.paired_row(accuracy, judged, origin or "measured")
    if row is None and (refused := part["refused"]["accuracy"].text()):
        row = Row(metric="accuracy", value="no verdict", note=refused)
    return Section(title="Accuracy of A and B", rows=(row,)) if row else None
