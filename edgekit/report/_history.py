"""How figures went from run to run, as sections of the page: one a line, its steps marked."""

from __future__ import annotations

from edgekit.core.units import format_ns
from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Row, Section, Table, TrendPlot, TrendPoint

_MOST = 60
_NONE = "–"


def is_history(part: Part) -> bool:
    """Whether the document is a history."""
    return (part["schema"].text(40) or "").startswith("edgekit.history/")


def sections(part: Part) -> list[Section]:
    """One section a line that has runs; nothing for other documents."""
    if not is_history(part):
        return []
    found = [_line(line) for line in part["lines"].items()]
    return [section for section in found if section is not None]


def _line(line: Part) -> Section | None:
    points = [point for point in line["points"].items() if point["median_ns"].number()]
    if not points:
        return None
    shown = points[-_MOST:]
    steps = {step["run_id"].text(60): step["ratio"].number() for step in line["steps"].items()}
    places = [(n, _wording.change(ratio - 1)) for n, one in enumerate(shown) if (ratio := steps.get(_id(one)))]
    margin, device = line["margin"].number(), line["device"].text(60) or "a device"
    rows = tuple(
        Row(
            metric=f"step at run {name or _NONE}",
            value=_wording.change(ratio - 1),
            validity=_flags(next((one for one in points if _id(one) == name), Part(None))),
            note="an alarm, not a verdict: measure both artifacts again in turn",
        )
        for name, ratio in steps.items()
        if ratio is not None
    )
    plot = TrendPlot(
        title="Median of each run with its 95 % interval; hollow: something speaks against it",
        points=tuple(map(_point, shown)),
        steps=tuple(places),
        first=_day(shown[0]),
        last=_day(shown[-1]),
    )
    counted = f"{len(points)} runs" + (f", the last {_MOST} drawn" if len(points) > _MOST else "")
    margin_said = "" if margin is None else f"; a change below {margin * 100:.1f} % is no step"
    header = ("run", "made", "median", "95 % interval", "flags", "artifact")
    return Section(
        title=f"{line['line'].text(80) or 'a model'} on {device}",
        rows=rows,
        note=f"{counted}{margin_said}. Environment {(line['environment_sha256'].text() or _NONE)[:12]}.",
        plot=plot,
        table=Table(title="Runs", header=header, rows=tuple(map(_cells, reversed(points)))),
    )


def _id(point: Part) -> str | None:
    return point["run_id"].text(60)


def _flags(point: Part) -> tuple[str, ...]:
    flags = tuple(text for flag in point["flags"].items() if (text := flag.text(20)))
    return flags or (_wording.NOT_CHECKED,)


def _day(point: Part) -> str:
    return (point["created_utc"].text(40) or "")[:10]


def _ends(point: Part) -> list[float | None]:
    return [bound.number() for bound in point["ci95"].items()]


def _point(point: Part) -> TrendPoint:
    value, bounds = point["median_ns"].number() or 0.0, _ends(point)
    low, high = bounds if len(bounds) == 2 else (None, None)
    return TrendPoint(
        value_ns=value,
        low_ns=value if low is None else low,
        high_ns=value if high is None else high,
        is_doubtful=_flags(point) != ("VALID",),
    )


def _cells(point: Part) -> tuple[str, ...]:
    return (
        _id(point) or _NONE,
        (point["created_utc"].text(40) or _NONE)[:19].replace("T", " "),
        format_ns(point["median_ns"].number() or 0.0),
        _wording.interval(_ends(point), format_ns) or _NONE,
        " ".join(_flags(point)),
        (point["artifact_sha256"].text() or _NONE)[:12],
    )
