"""What the report says of each number: the one place that words metrics, units, provenance and validity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.core.measurement import Provenance, Validity
from edgekit.core.units import format_bytes, format_ns
from edgekit.report._page import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.report._document import Part

NOT_MEASURED = "not measured"
NOT_CHECKED = "not checked"
NO_REASON = "no reason given"
NO_INTERVAL = "no interval: it takes two processes"
MEDIAN = "median"

PLACES = {
    Provenance.MEASURED: "on the device",
    Provenance.EMULATED: "in the emulator (not the device's)",
    Provenance.ESTIMATED: "estimated (not measured)",
}

REMARKS = {
    Provenance.EMULATED: "An emulator computes what the machine computes, so sizes, outputs and accuracy hold; "
    "its times and its memory say nothing about the machine.",
    Provenance.ESTIMATED: "Estimated numbers come from a model of the machine; nothing ran there.",
    Validity.NOISY: "NOISY: the processes disagree by more than 3 %, or there was only one.",
    Validity.SYNTHETIC: "SYNTHETIC: the inputs were random, not the user's data.",
    Validity.INVALID: "INVALID: something disturbed the measurement; decide nothing by it.",
}

_PERCENTILES = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p99_9": "p99.9"}
_PHASES = {"import_ns": "import of the runtime", "load_ns": "load of the model", "first_ns": "first inference"}


def provenance(part: Part) -> Provenance | None:
    """What a part says of where its numbers come from."""
    text = part["provenance"].text()
    return Provenance(text) if text in set(Provenance) else None


def place(origin: Provenance | None) -> str:
    """Whose number it is, to follow "latency" or "memory"; empty when nobody says."""
    return PLACES[origin] if origin else ""


def share(value: float) -> str:
    """A share of 0..1 in percent."""
    return f"{value * 100:.2f} %"


def size_rows(document: Part) -> list[Row]:
    """The model as given, the artifact, and what that saves."""
    parts = {
        "model as given": document["source"],
        "float .tflite": document["reference"],
        "artifact": document["artifact"],
    }
    rows = [_size_row(metric, part) for metric, part in parts.items() if part["size_bytes"].present]
    # A framework's file may hold an optimizer's state, so the float .tflite is the fair comparison where there is one.
    compared = "float .tflite" if document["reference"] else "model as given"
    before, after = parts[compared]["size_bytes"].count(), parts["artifact"]["size_bytes"].count()
    if before and after:
        smaller = f"{before / after:.2f} times smaller" if after <= before else f"{after / before:.2f} times larger"
        rows.append(Row(metric=f"compared with the {compared}", value=smaller))
    return [*rows, *_bundle_rows(document["bundle"])]


def _bundle_rows(bundle: Part) -> list[Row]:
    """What is deployed, golden samples included, and what of it travels."""
    size_bytes, travels = bundle["size_bytes"].count(), bundle["transfer_bytes"].count()
    if size_bytes is None or travels is None:
        return []
    note = f"{format_bytes(travels)} on the way to a device that has none of it"
    return [Row(metric="bundle", value=format_bytes(size_bytes), provenance=Provenance.MEASURED, note=note)]


def _size_row(metric: str, part: Part) -> Row:
    size_bytes, zip_bytes = part["size_bytes"].count(), part["zip_bytes"].count()
    notes = [part["format"].text() or ""]
    if size_bytes is not None and size_bytes >= 10 * 1024:
        notes.append(f"{size_bytes:,} B")
    if zip_bytes is not None:
        notes.append(f"{format_bytes(zip_bytes)} in a zip archive")
    return Row(
        metric=metric,
        value=NOT_MEASURED if size_bytes is None else format_bytes(size_bytes),
        provenance=Provenance.MEASURED if size_bytes is not None else "",
        note=", ".join(note for note in notes if note),
    )


def accuracy_row(metric: str, part: Part, *, reason: str | None = None) -> Row:
    """Correct answers in percent with Wilson's interval."""
    value, correct, n = part["value"].number(), part["correct"].count(), part["n"].count()
    if value is None:
        return Row(metric=metric, value=NOT_MEASURED, note=reason or part["reason"].text() or NO_REASON)
    bounds = [bound.number() for bound in part["ci95"].items()]
    note = f"{correct:,} of {n:,} correct" if correct is not None and n is not None else ""
    return Row(
        metric=metric,
        value=share(value) if n is None else f"{share(value)} of {n:,}",
        interval=_interval(bounds, share),
        provenance=provenance(part) or "",
        note=note,
    )


def change_row(before: Part, after: Part) -> Row | None:
    """How much accuracy the artifact lost or gained, in percentage points."""
    old, new = before["value"].number(), after["value"].number()
    if old is None or new is None:
        return None
    return Row(
        metric="change against the float model",
        value=f"{(new - old) * 100:+.2f} points".replace("-", "−"),
        provenance=provenance(after) or "",
    )


def agreement_rows(evaluation: Part) -> list[Row]:
    """How alike the outputs of device and host are for the same artifact."""
    n, origin = evaluation["samples"].count(), provenance(evaluation) or ""
    agreement, largest = evaluation["agreement"].number(), evaluation["max_abs_difference"].number()
    identical, seconds = evaluation["identical_outputs"].count(), evaluation["seconds"].number()
    of_n = f" of {n:,}" if n is not None else ""
    rows = []
    if agreement is not None:
        rows.append(Row(metric="same answer on host and device", value=f"{share(agreement)}{of_n}", provenance=origin))
    if identical is not None:
        rows.append(Row(metric="outputs equal bit for bit", value=f"{identical:,}{of_n}", provenance=origin))
    if largest is not None:
        rows.append(Row(metric="largest difference of an output", value=f"{largest:.3g}", provenance=origin))
    if seconds is not None and provenance(evaluation) == Provenance.MEASURED:
        rows.append(Row(metric="time for the whole set", value=format_ns(seconds * 1e9), provenance=origin))
    return rows


def latency_rows(profile: Part) -> list[Row]:
    """The median with its interval, the percentiles of all samples, then the phases before the steady state."""
    latency, origin, flags = profile["latency_ns"], provenance(profile) or "", validity(profile)
    rows = [_median_row(latency)] if latency["p50"].present or latency["median_of_processes"].present else []
    for key, metric in _PERCENTILES.items():
        if key == "p50" and not latency["median_of_processes"]:
            continue  # then it is the median above
        time_ns = latency[key].number()
        if time_ns is not None:
            rows.append(Row(metric=metric, value=format_ns(time_ns)))
        elif latency[key].present:
            rows.append(Row(metric=metric, value=NOT_MEASURED, note=_reason(profile, key)))
    for key, metric in _PHASES.items():
        time_ns = profile[key].number()
        if time_ns is not None:
            rows.append(Row(metric=metric, value=format_ns(time_ns)))
    return [row if row.value == NOT_MEASURED else replace(row, provenance=origin, validity=flags) for row in rows]


def _median_row(latency: Part) -> Row:
    """The median of the process medians; the interval is of it, not of the median of all samples."""
    of_processes = latency["median_of_processes"].number()
    time_ns = latency["p50"].number() if of_processes is None else of_processes
    if time_ns is None:
        return Row(metric=MEDIAN, value=NOT_MEASURED, note=NO_REASON)
    interval = _interval([bound.number() for bound in latency["ci95"].items()], format_ns)
    return Row(
        metric=MEDIAN,
        value=format_ns(time_ns),
        interval=interval,
        note="of the processes' medians" if of_processes is not None else "" if interval else NO_INTERVAL,
    )


def _reason(profile: Part, percentile: str) -> str:
    reasons = (part["latency_reasons"][percentile].text() for part in (profile, profile["latency_ns"]))
    return next((reason for reason in reasons if reason), NO_REASON)


def memory_rows(profile: Part) -> list[Row]:
    """Peak, baseline, and what the model adds."""
    memory, flags = profile["memory"], validity(profile)
    origin = provenance(memory) or provenance(profile) or ""
    peak, baseline = memory["peak_rss_bytes"].count(), memory["baseline_rss_bytes"].count()
    if peak is None:
        reason = memory["reason"].text() or profile["memory_reason"].text() or NO_REASON
        return [Row(metric="peak", value=NOT_MEASURED, note=reason)]
    rows = [Row(metric="peak", value=format_bytes(peak), provenance=origin, validity=flags, note="resident set")]
    if baseline is not None:
        note = "runtime imported, model not loaded"
        added = format_bytes(peak - baseline)
        rows += [
            Row(metric="baseline", value=format_bytes(baseline), provenance=origin, validity=flags, note=note),
            Row(metric="added by the model", value=added, provenance=origin, validity=flags, note="peak − baseline"),
        ]
    return rows


def deployment_rows(deployment: Part) -> list[Row]:
    """What was sent, and what runs there now."""
    rows = []
    if device := deployment["device"].text():
        rows.append(Row(metric="device", value=device))
    size_bytes, sent = deployment["bytes_sent"].count(), deployment["transferred_bytes"].count()
    sent = size_bytes if sent is None else sent  # runs from before uploads were compressed
    if sent is not None:
        note = "the device had this bundle already" if deployment["unchanged"].flag() else ""
        if size_bytes is not None and sent < size_bytes:
            note = f"of {format_bytes(size_bytes)}, compressed"
        rows.append(Row(metric="sent", value=format_bytes(sent), provenance=Provenance.MEASURED, note=note))
    if (error := deployment["golden_max_abs_error"].number()) is not None:
        rows.append(Row(metric="golden run", value=f"{error:.3g}", note="largest difference from this computer"))
    for key, metric in {"active": "active release", "previous": "previous release"}.items():
        if deployment[key].present:
            digest = deployment[key].text()
            rows.append(Row(metric=metric, value=digest[:12] if digest else "none"))
    return rows


def validity(profile: Part) -> tuple[str, ...]:
    """The flags of a measurement, less the one that its provenance says; no flags at all counts as not checked."""
    flags = [flag for item in profile["validity"].items() if (flag := item.text(20))] or [NOT_CHECKED]
    emulated = provenance(profile) == Provenance.EMULATED
    return tuple(flag for flag in flags if not (emulated and flag == Validity.EMULATED))


def _interval(bounds: Sequence[float | None], text_of: Callable[[float], str]) -> str:
    known = [text_of(bound) for bound in bounds if bound is not None]
    if len(known) != 2 or len(bounds) != 2:
        return ""
    (low, _, unit), (_, _, same) = (text.partition(" ") for text in known)
    return f"{low if unit == same else known[0]} – {known[1]}"


_BUDGETS: dict[str, tuple[str, Callable[[float], str]]] = {
    "flash_bytes": ("file", lambda value: format_bytes(round(value))),
    "ram_bytes": ("memory", lambda value: format_bytes(round(value))),
    "latency_p90_ns": ("latency p90", format_ns),
    "accuracy_drop": ("accuracy lost", lambda value: f"{value * 100:.2f} points"),
    "metric_drop": ("metric lost", lambda value: f"{value:.4g}"),
}


def budget_rows(verdicts: Part) -> list[Row]:
    """Each budget that was set: what was found, the limit, and whether it holds."""
    rows = []
    for verdict in verdicts.items():
        metric, outcome, limit = verdict["metric"].text(), verdict["outcome"].text(), verdict["limit"].number()
        if metric not in _BUDGETS or outcome is None or limit is None:
            continue
        label, shown = _BUDGETS[metric]
        value = verdict["value"].number()
        found = NOT_MEASURED if value is None else shown(value)
        rows.append(
            Row(
                metric=f"{label}: {outcome}",
                value=f"{found} of {shown(limit)}",
                note=verdict["reason"].text() or NO_REASON,
            )
        )
    return rows
