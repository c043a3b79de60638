"""A search as sections of the page: the front, how it was found, what mattered, what limits excluded, all trials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from edgekit.core.measurement import Provenance
from edgekit.core.units import format_ns
from edgekit.report import _search_front
from edgekit.report import _search_parts as read
from edgekit.report import search_wording as wording
from edgekit.report._document import Part, printable
from edgekit.report._page import Amount, AmountPlot, Conclusion, CurvePlot, Facts, Panel, Row, Section, Table, Unit

_NONE = "\N{EN DASH}"
_MOST_TRIALS = 500

_STATES = ("complete", "pruned", "infeasible", "refused", "failed", "running", "waiting")
_STATE_NOTES = {
    "pruned": "given up early: it could not reach the front",
    "infeasible": "beyond a limit",
    "refused": "model, recipe and target do not go together",
    "failed": "an error, a time-out, or a goal that is no number",
    "waiting": "asked for and not begun",
    "running": "begun and not ended",
}
_STAGES = {
    "static": "looked at without running it",
    "proxies": "zero-cost proxies",
    "training": "trained",
    "accuracy": "accuracy on this computer",
    "device": "measured on the device",
}


def is_search(part: Part) -> bool:
    """Whether the document is a search's."""
    return (part["schema"].text(40) or "").startswith("edgekit.search/")


def title(part: Part) -> str:
    """What was searched for which target."""
    name = part["model"].text(120)
    return f"{PurePath(name).name if name else 'models'} for {part['target'].text(60)}: a search"


def conclusion(part: Part) -> Conclusion | None:
    """How many points came out, or what stood in their way."""
    if not is_search(part):
        return None
    points, total = len(part["front"].items()), part["counts"]["total"].count() or 0
    if not points:
        return Conclusion(kind="fail", word="no point", reason=nothing_found(part))
    goals = ", ".join(wording.label(metric) for metric in read.goals(part))
    word = "1 point" if points == 1 else f"{points} points"
    reason = f"that nothing tried beats in {goals}; {total:,} trials"
    return Conclusion(kind="open" if part["interrupted"].flag() else "pass", word=word, reason=reason)


def nothing_found(part: Part) -> str:
    """Why a front is empty: what the limits excluded, then how the trials ended."""
    is_share = read.is_share(part)
    limits = [
        f"{wording.bound(metric, most, is_share=is_share)}{_by(limit)} excluded {count:,} of them"
        for limit in part["limits"].items()
        if (metric := limit["metric"].text(40)) and (count := limit["excluded"].count())
        and (most := limit["most"].number()) is not None
    ]  # fmt: skip
    counts = [f"{count:,} {state}" for state in _STATES if (count := part["counts"][state].count())]
    told = f"none of {part['counts']['total'].count() or 0:,} trials is feasible and complete ({', '.join(counts)})"
    return "; ".join([told, *limits])


def _by(limit: Part) -> str:
    source = limit["source"].text(80)
    return f" ({source})" if source else ""


def sections(part: Part) -> list[Section]:
    """Everything; nothing for other documents."""
    if not is_search(part):
        return []
    found = [
        _search_front.section(part),
        _way(part),
        *_device_time(part),
        *_importance(part),
        *_limits(part),
        *_proxies(part),
    ]
    return [*found, *_trials(part)]


def facts(part: Part) -> list[Facts]:
    """What the search was; nothing for other documents."""
    if not is_search(part):
        return []
    names = ("study", "architecture", "engine", "strategy", "metric")
    told = [(name, part[name].text()) for name in names]
    told += [(name, str(part[name].count())) for name in ("seed", "workers")]
    told.append(("goals", ", ".join(read.goals(part))))
    if (seconds := part["seconds"].number()) is not None:
        told.append(("time", format_ns(seconds * 1e9)))
    return [Facts(title="Search", entries=tuple((name, text) for name, text in told if text and text != "None"))]


def _way(part: Part) -> Section:
    """How many trials came to what, and how the front grew with them."""
    counts, total = part["counts"], part["counts"]["total"].count() or 0
    rows = [
        Row(
            metric=f"trials {state}",
            value=f"{count:,} of {total:,}",
            provenance=read.COUNTED,
            note=_STATE_NOTES.get(state, ""),
        )
        for state in _STATES
        if (count := counts[state].count())
    ]
    if (final := part["hypervolume"]["final"].number()) is not None and part["front"].items():
        note = "share of the box from the front's best values to a tenth beyond its worst that the front dominates"
        rows.append(Row(metric="hypervolume", value=f"{final:.3f}", provenance=read.provenance(part), note=note))
    cells = tuple(
        (f"{stage}: {words}", f"{count:,}")
        for stage, words in _STAGES.items()
        if (count := part["stages"][stage].count())
    )
    return Section(
        title="How it was found",
        rows=tuple(rows),
        marks=(read.provenance(part),),
        plot=_growth(part["hypervolume"]["over_trials"], "trials", "Hypervolume over finished trials"),
        table=Table(title="Trials by stage, the cheapest first", header=("stage", "trials"), rows=cells)
        if cells
        else None,
    )


def _growth(steps: Part, axis: str, title: str) -> CurvePlot | None:
    """A staircase: what was found stays until something better is."""
    known = [[number.number() for number in step.items()] for step in steps.items()]
    points = [(step[0], step[1]) for step in known if len(step) == 2 and step[0] is not None and step[1] is not None]
    if len(points) < 2:
        return None
    places, values, level = [0.0], [0.0], 0.0
    for place, value in points:
        places += [place, place]
        values += [level, value]
        level = value
    panel = Panel(label="hypervolume", unit=Unit.SHARE, values=tuple(values))
    return CurvePlot(title=title, seconds=tuple(places), panels=(panel,), axis=axis)


def _device_time(part: Part) -> Iterator[Section]:
    seconds = part["device_s"].number()
    rows = []
    for device in part["devices"].items():
        held, uses, faults = device["device_s"].number(), device["uses"].count(), device["faults"].count()
        left_out = device["left_out"].text()
        notes = [f"held {uses:,} times" if uses else "", f"{faults:,} faults" if faults else ""]
        notes.append(f"left out: {left_out}" if left_out else "")
        rows.append(
            Row(
                metric=device["name"].text(80) or _NONE,
                value=_NONE if held is None else format_ns(held * 1e9),
                provenance=Provenance.MEASURED,
                note="; ".join(filter(None, notes)),
            )
        )
    if not seconds and not rows:
        return
    total = (
        []
        if seconds is None
        else [Row(metric="all trials", value=format_ns(seconds * 1e9), provenance=Provenance.MEASURED)]
    )
    plot = _growth(part["hypervolume"]["over_device_s"], "s", "Hypervolume over the time on devices and emulators")
    yield Section(
        title="Time on devices and emulators",
        rows=(*rows, *total),
        plot=plot if seconds else None,
        marks=(read.provenance(part),),
    )


def _importance(part: Part) -> Iterator[Section]:
    goals = [metric for metric in read.goals(part) if part["importance"][metric]]
    if not goals:
        return
    shares = {metric: _shares(part["importance"][metric]) for metric in goals}
    names = sorted({name for found in shares.values() for name in found})
    names.sort(key=lambda name: -max(found.get(name, 0.0) for found in shares.values()))
    rows = tuple((name, *(f"{100 * shares[metric].get(name, 0.0):.0f} %" for metric in goals)) for name in names)
    first = shares[goals[0]]
    bars = tuple(
        Amount(label=name, value=max(first[name], 0.0), text=f"{100 * first[name]:.0f} %")
        for name in sorted(first, key=lambda name: -first[name])[:8]
    )
    label = wording.label(goals[0])
    yield Section(
        title="What mattered",
        rows=(),
        marks=(Provenance.ESTIMATED,),
        note="Share of each parameter in what makes a figure vary; it says nothing about the direction.",
        plot=AmountPlot(title=f"Share in the variance of the {label}", bars=bars) if any(first.values()) else None,
        table=Table(
            title="Importance of each parameter",
            header=("parameter", *(wording.label(metric) for metric in goals)),
            rows=rows,
        ),
    )


def _shares(part: Part) -> dict[str, float]:
    return {printable(name): part[name].number() or 0.0 for name in part.names()}


def _limits(part: Part) -> Iterator[Section]:
    is_share = read.is_share(part)
    rows = tuple(
        Row(
            metric=wording.bound(metric, most, is_share=is_share),
            value=f"{limit['excluded'].count() or 0:,} excluded",
            provenance=read.COUNTED,
            note=limit["source"].text(120) or "",
        )
        for limit in part["limits"].items()
        if (metric := limit["metric"].text(40)) and (most := limit["most"].number()) is not None
    )
    if rows:
        yield Section(
            title="Limits", rows=rows, note="Constraints, not penalties: no point beyond one is in the front."
        )


def _proxies(part: Part) -> Iterator[Section]:
    rows = []
    for name in part["proxies"].names():
        found = part["proxies"][name]
        if (correlation := found["correlation"].number()) is not None:
            value = f"{correlation:+.2f}".replace("-", "\N{MINUS SIGN}")
            note = f"{found['n'].count() or 0:,} trials that were trained"
            rows.append(Row(metric=printable(name), value=value, provenance=read.COUNTED, note=note))
    if rows:
        note = "Spearman's rank correlation with the accuracy; 0 tells nothing, 1 ranks as training does."
        yield Section(title="Zero-cost proxies", rows=tuple(rows), note=note)


def _trials(part: Part) -> Iterator[Section]:
    trials, is_share = part["tried"].items(), read.is_share(part)
    shown = trials[:_MOST_TRIALS]
    rows = tuple(
        (
            str(trial["trial"].count()),
            trial["state"].text(20) or _NONE,
            trial["stage"].text(20) or _NONE,
            read.said(trial, read.metrics(part), is_share) or _NONE,
            wording.settings(read.params(trial)),
            trial["reason"].text() or _NONE,
        )
        for trial in shown
    )
    if rows:
        header = ("trial", "state", "last stage", "known", "settings", "reason")
        note = (
            f"The first {len(shown):,} of {len(trials):,}; search.json holds all." if len(shown) < len(trials) else ""
        )
        yield Section(title="All trials", rows=(), note=note, table=Table(title="Trials", header=header, rows=rows))
