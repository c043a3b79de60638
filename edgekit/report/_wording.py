"""What the report says of each number: the one place that words metrics, units, provenance and validity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgekit.core.measurement import Provenance, Validity
from edgekit.core.units import format_bytes, format_ns
from edgekit.report._page import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.report._document import Part

NOT_MEASURED = "not measured"
NOT_ASKED = "it was not asked for"
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
    Validity.THROTTLED: "THROTTLED: heat, the supply or the clock held the machine back.",
    Validity.UNSTEADY: "UNSTEADY: the warm-up never became steady.",
    Validity.NONDETERMINISTIC: "NONDETERMINISTIC: two processes gave different outputs for the same inputs.",
    Validity.INVALID: "INVALID: something disturbed the measurement; decide nothing by it.",
}
"""What a flag means, where the document does not say why it was set."""


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


def change(value: float) -> str:
    """A relative change in percent, with its sign."""
    return f"{value * 100 + 0.0:+.1f} %".replace("-", "−").replace("+0.0 %", "0.0 %").replace("−0.0 %", "0.0 %")


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
        rows.append(Row(metric=f"compared with the {compared}", value=smaller, provenance=Provenance.MEASURED))
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
        interval=interval(bounds, share),
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


def deployment_rows(deployment: Part, origin: str) -> list[Row]:
    """What was sent, and what runs there now; `origin` is the provenance of what the device computes."""
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
        note = "largest difference from this computer"
        rows.append(Row(metric="golden run", value=f"{error:.3g}", provenance=origin or Provenance.MEASURED, note=note))
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


def interval(bounds: Sequence[float | None], text_of: Callable[[float], str]) -> str:
    """Both ends, the unit once where they share it; empty unless there are two."""
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


_PROFILED = frozenset({"ram_bytes", "latency_p90_ns"})


def budget_rows(document: Part) -> list[Row]:
    """Each budget that was set: what was found, the limit, and whether it holds; time and memory with their flags."""
    rows, profile = [], document["profile"]
    for verdict in document["verdicts"].items():
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
                provenance=(provenance(profile) if metric in _PROFILED else None) or Provenance.MEASURED,
                validity=validity(profile) if profile and metric in _PROFILED else (),
                note=verdict["reason"].text() or NO_REASON,
            )
        )
    return rows
