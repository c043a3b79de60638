"""The same artifact on a device and on this computer's kernels: how far the answers drift, and in which layer first."""

from __future__ import annotations

from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Amount, AmountPlot, Row, Section, Table
from edgekit.report._profile import short_name

_NONE = "–"
_WORDS = {"default": "default kernels", "builtin": "built-in kernels", "reference": "reference kernels"}


def sections(part: Part) -> list[Section]:
    """Outputs, then layers; nothing for documents without drift."""
    drift = part["drift"]
    if not drift:
        return []
    found = [_outputs(drift), _layers(drift)]
    return [section for section in found if section is not None]


def _place(name: str | None) -> str:
    return _WORDS.get(name or "", name or _NONE)


def _origin(drift: Part) -> str:
    return _wording.provenance(drift) or ""


def _outputs(drift: Part) -> Section | None:
    outputs = drift["outputs"].items()
    device, samples = drift["device"].text(60) or "the device", drift["samples"].count()
    predicts = [_place(item.text(20)) for item in drift["predicts"].items()]
    rows = [
        Row(
            metric=f"kernels here that predict {device} bit for bit",
            value=", ".join(predicts) or "none",
            provenance=_origin(drift),
            note="" if samples is None else f"over {samples:,} samples, every output",
        )
    ]
    rows += [
        Row(metric=_place(place["name"].text(20)), value="did not run", note=reason)
        for place in drift["places"].items()
        if (reason := place["reason"].text())
    ]
    header = (
        "kernels here", "output", "values that differ", "largest", "identical samples", "95 %", "same answer", "95 %",
    )  # fmt: skip
    bars = [
        Amount(
            label=f"{_place(one['place'].text(20))}, {short_name(one['name'].text(40) or 'output')}",
            value=share,
            text=f"{_share(one['differing_share'])} · {_largest(one)}",
        )
        for one in outputs
        if (share := one["differing_share"].number()) is not None and 0 <= share <= 1
    ]
    plot = AmountPlot(title=f"Output values that differ from {device}", bars=tuple(bars)) if any(
        bar.value for bar in bars
    ) else None  # fmt: skip
    table = Table(title=f"Outputs here against {device}", header=header, rows=tuple(map(_cells, outputs)))
    return Section(
        title="Drift", rows=tuple(rows), plot=plot, table=table if outputs else None, marks=(_origin(drift),)
    )


def _cells(one: Part) -> tuple[str, ...]:
    n, same = one["samples"].count(), one["identical_samples"].count()
    return (
        _place(one["place"].text(20)),
        short_name(one["name"].text(60) or _NONE),
        _share(one["differing_share"]),
        _largest(one),
        _NONE if same is None or n is None else f"{same:,} of {n:,}",
        _interval(one["identical_ci95"]),
        _share(one["agreement"]),
        _interval(one["agreement_ci95"]),
    )


def _interval(part: Part) -> str:
    return _wording.interval([bound.number() for bound in part.items()], _wording.share) or _NONE


def _share(part: Part) -> str:
    value = part.number()
    return _NONE if value is None else "none" if value == 0 else f"{value * 100:.3g} %"


def _largest(one: Part) -> str:
    steps, most = one["max_lsb"].count(), one["max_abs"].number()
    return f"{steps} LSB" if steps is not None else _NONE if most is None else f"{most:.3g}"


def _layers(drift: Part) -> Section | None:
    layers = drift["layers"].items()
    reason = drift["layers_reason"].text()
    if not layers:
        row = Row(metric="drift of each layer", value=_wording.NOT_MEASURED, note=reason or "")
        return Section(title="Drift of layers", rows=(row,)) if reason else None
    rows = []
    for kernels in dict.fromkeys(layer["against"].text(20) for layer in layers):
        first = next((one for one in layers if one["against"].text(20) == kernels and one["is_first"].flag()), None)
        rows.append(
            Row(
                metric=f"first layer that differs from the {_place(kernels)}",
                value="none" if first is None else short_name(first["name"].text(80) or _NONE),
                provenance=_origin(drift),
                note="" if first is None else f"{first['op'].text(40) or ''}, {_largest(first)} at most",
            )
        )
    header = ("kernels here", "layer", "operator", "values that differ", "largest", "")
    cells = tuple(
        (
            _place(one["against"].text(20)), short_name(one["name"].text(60) or _NONE), one["op"].text(40) or _NONE,
            _share(one["differing_share"]), _largest(one), "first" if one["is_first"].flag() else "",
        )
        for one in layers
    )  # fmt: skip
    samples = drift["layer_samples"].count()
    return Section(
        title="Drift of layers",
        rows=tuple(rows),
        note=f"Over {samples} samples, in the order in which they run, with kernels that keep their tensors."
        if samples
        else "",
        table=Table(title="Layers", header=header, rows=cells),
        marks=(_origin(drift),),
    )
