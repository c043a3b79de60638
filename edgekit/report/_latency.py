"""What a profile says of time, memory and instructions: rows with their intervals, or why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.core.measurement import Validity
from edgekit.core.units import format_bytes, format_ns
from edgekit.report import _plots
from edgekit.report._page import Amount, AmountPlot, Row, Section
from edgekit.report._wording import (
    MEDIAN,
    NO_INTERVAL,
    NO_REASON,
    NOT_ASKED,
    NOT_MEASURED,
    interval,
    place,
    provenance,
    validity,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgekit.core.measurement import Measurement, Provenance
    from edgekit.report._document import Part

_PERCENTILES = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p99_9": "p99.9"}
_PHASES = {
    "import": ("import_ns", "import of the runtime"),
    "load_cold": (None, "load of the model, file not in the page cache"),
    "load_warm": ("load_ns", "load of the model"),
    "first": ("first_ns", "first inference"),
}
_STAGES = {"quantize": "stage: quantize the input", "dequantize": "stage: read the output"}
_MEMORY = {
    "pss_bytes": ("proportional set", "shared pages counted in parts"),
    "private_bytes": ("private", "what no other process shares"),
    "arena_bytes": ("arena", "of the runtime's own planner"),
    "swap_bytes": ("swapped out", ""),
}


def latency(part: Part, measurement: Measurement | None) -> Section | None:
    """The median with its interval, percentiles, then what comes before the steady state."""
    profile = part["profile"]
    plot = _plots.latency_plot(measurement) if measurement else None
    origin = provenance(profile) or (measurement.provenance if measurement else None)
    title = f"Latency {place(origin)}".strip()
    if profile.present and not profile:
        reason = part["profile_reason"].text() or NO_REASON
        return Section(title=title, rows=(Row(metric=MEDIAN, value=NOT_MEASURED, note=reason),))
    rows = latency_rows(profile)
    if not rows and plot is None:
        return None
    table = _plots.processes_table(measurement) if measurement else None
    marked = marks(profile, origin) if measurement is None or profile else _marks_of(measurement)
    return Section(title=title, rows=tuple(rows), note=_note(profile), plot=plot, table=table, marks=marked)


def _marks_of(measurement: Measurement) -> tuple[str, ...]:
    flags = (flag for flag in measurement.validity if flag is not Validity.EMULATED)
    return (str(measurement.provenance), *map(str, flags))


def marks(profile: Part, origin: Provenance | None = None) -> tuple[str, ...]:
    """Provenance and flags of a profile's figures."""
    return tuple(word for word in (origin or provenance(profile), *validity(profile)) if word)


def _note(profile: Part) -> str:
    samples, processes, batch = (profile[key].count() for key in ("samples", "processes", "batch"))
    if not samples or not processes:
        return ""
    mode, timer = profile["mode"].text(20), profile["timer_ns"].number()
    mild, severe = (profile["outliers"][key].count() for key in ("mild", "severe"))
    words = [f"{samples:,} samples in {processes} fresh {'process' if processes == 1 else 'processes'}"]
    words += [f"mode {mode}"] if mode else []
    words += [f"each sample the mean of {batch:,} calls"] if batch and batch > 1 else []
    words += [f"reading the clock takes {format_ns(timer)}"] if timer is not None else []
    if mild is not None and severe is not None:
        words.append(f"{mild + severe:,} outliers, {severe:,} of them severe, none of them left out")
    return ", ".join(words)


def latency_rows(profile: Part) -> list[Row]:
    """All figures of time; those without an interval say why."""
    found, origin, flags = profile["latency_ns"], provenance(profile) or "", validity(profile)
    rows = [_median(found)] if found["p50"].present or found["median_of_processes"].present else []
    for key, metric in _PERCENTILES.items():
        if key == "p50" and not found["median_of_processes"]:
            continue  # then it is the median above
        time_ns, bounds = found[key].number(), profile["latency_ci95"][key]
        if time_ns is not None:
            note = "" if bounds else NO_INTERVAL if profile["latency_ci95"].present else ""
            rows.append(Row(metric=metric, value=format_ns(time_ns), interval=_interval(bounds), note=note))
        elif found[key].present:
            rows.append(Row(metric=metric, value=NOT_MEASURED, note=_reason(profile, key)))
    rows = [*rows[:1], *_together(rows[1:])]
    rows += [*_secondary(profile), *_phases(profile), *_stages(profile), *_instructions(profile)]
    return [row if row.value == NOT_MEASURED else _marked(row, origin, flags) for row in rows]


def _together(rows: list[Row]) -> list[Row]:
    """Neighbours that are missing for the same reason as one row."""
    found: list[Row] = []
    for row in rows:
        last = found[-1] if found else None
        if last is not None and last.value == row.value == NOT_MEASURED and last.note == row.note:
            found[-1] = replace(last, metric=f"{last.metric}, {row.metric}")
        else:
            found.append(row)
    return found


def _marked(row: Row, origin: str, flags: tuple[str, ...]) -> Row:
    return replace(row, provenance=origin, validity=flags)


def _interval(bounds: Part, text_of: Callable[[float], str] = format_ns) -> str:
    return interval([bound.number() for bound in bounds.items()], text_of)


def _median(found: Part) -> Row:
    """The median of the process medians; the interval is of it, not of the median of all samples."""
    of_processes = found["median_of_processes"].number()
    time_ns = found["p50"].number() if of_processes is None else of_processes
    if time_ns is None:
        return Row(metric=MEDIAN, value=NOT_MEASURED, note=NO_REASON)
    bounds = _interval(found["ci95"])
    note = "of the processes' medians" if of_processes is not None else "" if bounds else NO_INTERVAL
    return Row(metric=MEDIAN, value=format_ns(time_ns), interval=bounds, note=note)


def _reason(profile: Part, percentile: str) -> str:
    reasons = (part["latency_reasons"][percentile].text() for part in (profile, profile["latency_ns"]))
    return next((reason for reason in reasons if reason), NO_REASON)


def _secondary(profile: Part) -> Iterator[Row]:
    """Figures that depend on every slow call: not the headline."""
    for key, metric, text_of in (
        ("mean_ns", "mean", format_ns),
        ("throughput_per_s", "throughput", _per_second),
    ):
        value = profile[key]["value"].number()
        if value is not None:
            note = "" if profile[key]["ci95"] else profile[key]["reason"].text() or NO_INTERVAL
            yield Row(metric=metric, value=text_of(value), interval=_interval(profile[key]["ci95"], text_of), note=note)
    fastest, spread = profile["min_ns"].number(), profile["mad_ns"].number()
    if fastest is not None:
        note = "" if spread is None else f"one call; half of all lie within {format_ns(spread)} of their median"
        yield Row(metric="fastest call", value=format_ns(fastest), note=note)


def _per_second(value: float) -> str:
    return f"{value:,.0f} per s" if value >= 100 else f"{value:.3g} per s"


def _phases(profile: Part) -> Iterator[Row]:
    for key, (older, metric) in _PHASES.items():
        phase = profile["phases"][key]
        value = phase["value_ns"].number() if phase or older is None else profile[older].number()
        if value is not None:
            note = f"of {phase['n'].count()} processes" if phase["ci95"] else phase["reason"].text() or ""
            yield Row(metric=metric, value=format_ns(value), interval=_interval(phase["ci95"]), note=note)
        elif phase.present and phase["reason"].text() not in (NOT_ASKED, NOT_MEASURED):
            yield Row(metric=metric, value=NOT_MEASURED, note=phase["reason"].text() or NO_REASON)


def _stages(profile: Part) -> Iterator[Row]:
    for name, metric in _STAGES.items():
        stage = profile["stages"][name]
        if (value := stage["value_ns"].number()) is not None:
            note = "" if stage["ci95"] else stage["reason"].text() or NO_INTERVAL
            yield Row(metric=metric, value=format_ns(value), interval=_interval(stage["ci95"]), note=note)


def _instructions(profile: Part) -> Iterator[Row]:
    found = profile["instructions"]
    value, low, high = (found[key].count() for key in ("value", "low", "high"))
    if value is not None:
        source, calls = found["source"].text(40) or "a counter", found["calls"].count()
        exact = "exact" if found["exact"].flag() else "range of its calls"
        spread = f"{low:,} – {high:,} (range)" if low is not None and high is not None and low < high else ""
        note = f"{exact}, counted by {source}" + (f" over {calls:,} calls" if calls else "")
        yield Row(metric="instructions of one call", value=f"{value:,}", interval=spread, note=note)
    elif (reason := profile["instructions_reason"].text()) and reason != NOT_ASKED:
        yield Row(metric="instructions of one call", value=NOT_MEASURED, note=reason)


def memory(part: Part) -> Section | None:
    """Peak, baseline, what the model adds, and the kernel's other accounts of it."""
    profile = part["profile"]
    if not profile["memory"].present:
        return None
    origin = provenance(profile["memory"]) or provenance(profile)
    rows = memory_rows(profile)
    bars = [
        Amount(label=label, value=float(size), text=format_bytes(size), is_muted=key == "baseline_rss_bytes")
        for key, label in {
            "baseline_rss_bytes": "before the model",
            "peak_rss_bytes": "peak with the model",
            "pss_bytes": "proportional set after the runs",
        }.items()
        if (size := profile["memory"][key].count()) is not None
    ]
    plot = AmountPlot(title="Memory of the process that runs the model", bars=tuple(bars)) if len(bars) > 1 else None
    title = f"Memory {place(origin)}".strip()
    return Section(title=title, rows=tuple(rows), plot=plot, marks=marks(profile, origin))


def memory_rows(profile: Part) -> list[Row]:
    """Each account of the memory with what it counts."""
    found, flags = profile["memory"], validity(profile)
    origin = provenance(found) or provenance(profile) or ""
    peak, baseline = found["peak_rss_bytes"].count(), found["baseline_rss_bytes"].count()
    if peak is None:
        reason = found["reason"].text() or profile["memory_reason"].text() or NO_REASON
        return [Row(metric="peak", value=NOT_MEASURED, note=reason)]
    weighed = found["n"].count()
    of = f", range of {weighed} processes" if weighed and weighed > 1 else ""
    spread = _interval(found["range_peak_rss_bytes"], lambda size: format_bytes(round(size))) if of else ""
    spread = f"{spread} (range)" if spread else ""
    rows = [Row(metric="peak", value=format_bytes(peak), interval=spread, note=f"resident set{of}")]
    if baseline is not None:
        added = format_bytes(peak - baseline)
        rows += [
            Row(metric="baseline", value=format_bytes(baseline), note="runtime imported, model not loaded"),
            Row(metric="added by the model", value=added, note="peak − baseline"),
        ]
    for key, (metric, note) in _MEMORY.items():
        if (size := found[key].count()) is not None:
            rows.append(Row(metric=metric, value=format_bytes(size), note=note))
    return [_marked(row, origin, flags) for row in rows]
