"""Where the time of one call goes, and what becomes of it after minutes: operators and the sustained curve."""

from __future__ import annotations

from itertools import pairwise

from edgekit.core.units import format_ns
from edgekit.report import _latency, _wording
from edgekit.report._document import Part
from edgekit.report._page import Amount, AmountPlot, CurvePlot, Panel, Row, Section, Table, Unit

_MOST_BARS = 10
_NONE = "–"
_MARGIN = 0.03  # of edgekit-bench/1: a smaller change is none


def sections(part: Part) -> list[Section]:
    """The sections that the profile has something for."""
    profile = part["profile"]
    found = [_operators(profile), _sustained(profile)]
    return [section for section in found if section is not None]


def short_name(name: str) -> str:
    """A name without the names of what was fused into it, which TensorFlow appends with ";"."""
    return name.partition(";")[0]


def _operators(profile: Part) -> Section | None:
    operators = profile["operators"].items()
    if not operators:
        reason = profile["operators_reason"].text()
        row = Row(metric="time of each operator", value=_wording.NOT_MEASURED, note=reason or "")
        return Section(title="Operators", rows=(row,)) if reason and reason != _wording.NOT_ASKED else None
    timed = any(one["ns"]["value"].number() is not None for one in operators)
    header = ("", "operator", "layer", "median", "95 % interval", "share", "instructions")
    rows = tuple((str(number), *_cells(one)) for number, one in enumerate(operators, start=1))
    reason = profile["operators_reason"].text()
    return Section(
        title="Operators",
        rows=(),
        note=("Timed in processes of their own, never in those that give the latency." if timed else reason)
        or "Time of each is not measured; the share is of the instructions.",
        plot=_bars(operators, timed=timed),
        table=Table(title="Operators, in the order in which they run", header=header, rows=rows),
        marks=_latency.marks(profile),
    )


def _cells(one: Part) -> tuple[str, ...]:
    value, count = one["ns"]["value"].number(), one["instructions"].count()
    bounds = [bound.number() for bound in one["ns"]["ci95"].items()]
    share = one["share"].number()
    return (
        one["op"].text(60) or _NONE,
        short_name(one["name"].text(80) or _NONE),
        _NONE if value is None else format_ns(value),
        _wording.interval(bounds, format_ns) or _NONE,
        _NONE if share is None else f"{share * 100:.1f} %",
        _NONE if count is None else f"{count:,}",
    )


def _bars(operators: list[Part], *, timed: bool) -> AmountPlot | None:
    """The largest ones, and all others as one bar."""
    known = []
    for number, one in enumerate(operators, start=1):
        value = one["ns"]["value"].number() if timed else one["instructions"].count()
        if value is not None:
            known.append((float(value), number, one))
    known.sort(key=lambda entry: (-entry[0], entry[1]))
    whole = sum(value for value, _, _ in known)
    if not whole:
        return None
    bars = [
        Amount(
            label=f"{number} {one['op'].text(40) or 'an operator'}",
            value=value,
            text=_amount(value, whole, timed=timed),
            interval=_ends(one["ns"]["ci95"]) if timed else None,
        )
        for value, number, one in known[:_MOST_BARS]
    ]
    if rest := known[_MOST_BARS:]:
        value = sum(value for value, _, _ in rest)
        text = _amount(value, whole, timed=timed)
        bars.append(Amount(label=f"{len(rest)} others together", value=value, text=text, is_muted=True))
    what = "Time" if timed else "Instructions"
    return AmountPlot(title=f"{what} of each operator in one call, the largest first", bars=tuple(bars))


def _amount(value: float, whole: float, *, timed: bool) -> str:
    return f"{format_ns(value) if timed else f'{value:,.0f}'} · {100 * value / whole:.1f} %"


def _ends(ci95: Part) -> tuple[float, float] | None:
    bounds = [bound.number() for bound in ci95.items()]
    if len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
        return None
    return bounds[0], bounds[1]


def _sustained(profile: Part) -> Section | None:
    curve = profile["sustained"]
    seconds = [second.number() for second in curve["seconds"].items()]
    known = [second for second in seconds if second is not None]
    if len(known) < 2 or len(known) != len(seconds) or any(b <= a for a, b in pairwise(known)):
        return None
    panels, unknown = [], []
    for key, label, unit in (
        ("median_ns", "median latency", Unit.TIME),
        ("temperature_c", "temperature", Unit.TEMPERATURE),
        ("frequency_khz", "clock of the fastest core", Unit.FREQUENCY),
    ):
        values = tuple(value.number() for value in curve[key].items())
        if len(values) == len(known) and any(value is not None for value in values):
            panels.append(Panel(label=label, unit=unit, values=values))
        else:
            unknown.append(label)
    moment = curve["time_to_throttle_s"].number()
    origin, flags = _wording.provenance(profile) or "", _wording.validity(profile)
    rows = [_ratio(curve["last_over_first"], origin, flags)]
    told = f"after {moment:.0f} s" if moment is not None else f"not within {known[-1]:.0f} s"
    rows.append(
        Row(
            metric="held back by heat, supply or clock", value=told, provenance=origin, validity=flags,
            note="from throttling bits, a clock 5 % lower, or a window 10 % slower than the first",
        )
    )  # fmt: skip
    plot = CurvePlot(
        title=f"Over {known[-1]:.0f} s without a pause",
        seconds=tuple(known),
        panels=tuple(panels),
        mark_s=moment,
        mark="" if moment is None else "held back from here",
    )
    note = f"The device does not tell: {', '.join(unknown)}." if unknown else ""
    marks = _latency.marks(profile)
    return Section(title="Sustained", rows=tuple(rows), note=note, plot=plot if panels else None, marks=marks)


def _ratio(part: Part, origin: str, flags: tuple[str, ...]) -> Row:
    value, bounds = part["value"].number(), _ends(part["ci95"])
    metric = "the end against the beginning"
    if value is None:
        return Row(metric=metric, value=_wording.NOT_MEASURED, note=part["reason"].text() or _wording.NO_REASON)
    slower = "about as fast" if abs(value - 1) < _MARGIN else "slower" if value > 1 else "faster"
    return Row(
        metric=metric,
        value=_wording.change(value - 1),
        interval="" if bounds is None else " – ".join(_wording.change(bound - 1) for bound in bounds),
        provenance=origin,
        validity=flags,
        note=f"{slower}; medians of the first and of the last windows",
    )
