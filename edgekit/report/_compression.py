"""What compression did, as sections of the page: steps, the accuracy budget, sensitive layers, errors of layers."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.core.measurement import Provenance
from edgekit.core.units import format_bytes
from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._metric import Judged, metric_of, value_of
from edgekit.report._page import Amount, AmountPlot, Row, Section, Table, Tradeoff, TradeoffPlot

_MOST_BARS = 24
_NONE = "–"


def sections(part: Part) -> list[Section]:
    """The sections that the document has something for."""
    found = [_steps(part), _kept(part), _sensitivity(part), _trials(part), *_compared(part)]
    return [section for section in found if section is not None]


def short_name(name: str) -> str:
    """A layer's name without the names of what was fused into it, which TensorFlow appends with ";"."""
    return name.partition(";")[0]


def _steps(part: Part) -> Section | None:
    """What the model is after each step; the float model is the first row."""
    steps = [step for step in part["steps"].items() if step["gain"].text()]
    if not steps:
        return None
    metric = metric_of(part)
    header = (
        "step", "file", "zipped", "gzipped", "ratio", "zeros", "values", "MACs", "activations", metric.name, "95 %",
    )  # fmt: skip
    float_bytes = part["reference"]["zip_bytes"].count()
    rows = [_cells(step, step["pass"].text(60) or "a step", float_bytes, metric) for step in steps]
    if part["reference"]["sparsity"].number() is not None:
        rows.insert(0, _cells(part["reference"], "float model", float_bytes, metric))
    gains = tuple(
        Row(
            metric=f"{number}. {step['pass'].text(60)}",
            value=_headword(step["gain"].text() or ""),
            note=". ".join(filter(None, (step["gain"].text(), *(note.text() for note in step["notes"].items())))),
        )
        for number, step in enumerate(steps, start=1)
    )
    return Section(
        title="Steps",
        rows=gains,
        note="Each step as the .tflite that the model would be shipped as at that point, on the same evaluation set. "
        "Ratio: zipped bytes of the float .tflite over those. Values: most different ones in a weight tensor.",
        plot=_tradeoff(part, steps, metric) if metric.is_share else None,
        table=Table(title="Steps in numbers", header=header, rows=tuple(rows)),
        marks=(Provenance.MEASURED,),
    )


def _headword(gain: str) -> str:
    """Whether a step gained anything, in two words."""
    if gain.startswith("a conversion"):
        return "converted"
    return "gained nothing" if gain.startswith("gained nothing") else "gained"


def _cells(step: Part, name: str, float_bytes: int | None, metric: Judged) -> tuple[str, ...]:
    zip_bytes, accuracy = step["zip_bytes"].count(), value_of(step)
    bounds = [bound.number() for bound in accuracy["ci95"].items()]
    value, n = accuracy["value"].number(), accuracy["n"].count()
    zeros = step["sparsity"].number()
    return (
        name,
        _bytes(step["size_bytes"]),
        _bytes(step["zip_bytes"]),
        _bytes(step["gzip_bytes"]),
        f"{float_bytes / zip_bytes:.2f}" if float_bytes and zip_bytes else _NONE,
        _NONE if zeros is None else f"{zeros * 100:.1f} %",
        _count(step["unique_weights"]),
        _count(step["macs"]),
        _bytes(step["activation_bytes"]),
        _NONE if value is None or n is None else f"{metric.figure(value)} of {n:,}",
        " – ".join(metric.figure(bound) for bound in bounds if bound is not None) or _NONE,
    )


def _bytes(part: Part) -> str:
    size_bytes = part.count()
    return _NONE if size_bytes is None else f"{size_bytes:,} B"


def _count(part: Part) -> str:
    count = part.count()
    return _NONE if count is None else f"{count:,}"


def _tradeoff(part: Part, steps: list[Part], metric: Judged) -> TradeoffPlot | None:
    float_model = part["metric"]["float"] or part["accuracy"]["float"]
    points = [_point("float model", part["reference"], float_model, is_muted=True)]
    points += [_point(f"after {step['pass'].text(60)}", step, value_of(step)) for step in steps]
    known = tuple(point for point in points if point is not None)
    if len(known) < 2:
        return None
    tried = [(trial["zip_bytes"].count(), value_of(trial).number()) for trial in part["trials"].items()]
    float_value, max_drop = float_model["value"].number(), part["budget"]["max_drop"].number()
    what = "Accuracy" if metric == Judged() else metric.name
    return TradeoffPlot(
        title=f"{what} against the bytes of the transfer (zipped)" + ("; small dots: other trials" if tried else ""),
        points=known,
        tried=tuple((size, share) for size, share in tried if size is not None and share is not None),
        limit=None if float_value is None or max_drop is None else max(float_value - max_drop, 0.0),
    )


def _point(label: str, part: Part, accuracy: Part, *, is_muted: bool = False) -> Tradeoff | None:
    size_bytes, value = part["zip_bytes"].count(), accuracy["value"].number()
    bounds = [bound.number() for bound in accuracy["ci95"].items()]
    if size_bytes is None or value is None or len(bounds) != 2:
        return None
    low, high = bounds
    if low is None or high is None or not 0 <= low <= value <= high <= 1:
        return None
    text = f"{format_bytes(size_bytes)}, {_wording.share(value)}"
    return Tradeoff(label=label, text=text, size_bytes=size_bytes, value=value, low=low, high=high, is_muted=is_muted)


def _kept(part: Part) -> Section | None:
    """Layers that int8 was taken back from, and what that costs."""
    budget = part["budget"]
    layers = budget["kept"].items()
    if not layers:
        return None
    weights, macs, cost = (budget[name].number() for name in ("kept_weights", "kept_macs", "cost_bytes"))
    rows = [
        Row(
            metric=short_name(layer["name"].text() or "a layer"),
            value=f"{layer['form'].text() or ''}, {layer['cost_bytes'].count() or 0:,} B more",
            provenance=Provenance.MEASURED,
            note=f"{layer['op'].text() or ''}, {layer['weights'].count() or 0:,} weights, "
            f"{layer['macs'].count() or 0:,} multiply-accumulates",
        )
        for layer in layers
    ]
    if weights is not None and macs is not None and cost is not None:
        together = Row(
            metric="together",
            value=f"{cost:+,.0f} B",
            provenance=Provenance.MEASURED,
            note=f"of the file, against every layer in int8; {weights * 100:.1f} % of the weights and "
            f"{macs * 100:.1f} % of the multiply-accumulates are not in int8",
        )
        rows.append(together)
    rows += _kept_time(budget)
    return Section(title="Layers left out of int8", rows=tuple(rows))


def _kept_time(budget: Part) -> Iterator[Row]:
    """What the kept layers cost in time on the host; nothing for documents from before it was measured."""
    found = budget["time_ratio"]
    value, low, high, pairs = (found[name].number() for name in ("value", "low", "high", "pairs"))
    if value is not None and low is not None and high is not None and pairs is not None:
        yield Row(
            metric="time of one inference",
            value=f"{value:.2f} times plain int8",
            interval=f"{low:.2f} – {high:.2f}",
            provenance=Provenance.MEASURED,
            note=f"on {found['where'].text() or 'the host'}, not the target's time; median and range of {pairs:.0f} "
            "pairs of processes",
        )
    elif found.present:
        reason = budget["time_ratio_reason"].text() or _wording.NO_REASON
        yield Row(metric="time of one inference", value=_wording.NOT_MEASURED, note=reason)


def _sensitivity(part: Part) -> Section | None:
    layers = part["sensitivity"].items()
    if not layers:
        return None
    metric = metric_of(part)
    header = ("layer", "operator", "weights", "MACs", f"{metric.name} lost", "output SNR", "SNR in full int8")
    rows = tuple(
        (
            short_name(layer["name"].text() or "a layer"),
            layer["op"].text() or _NONE,
            _count(layer["weights"]),
            _count(layer["macs"]),
            _loss(layer["drop"], metric),
            _decibels(layer["snr_db"]),
            _decibels(layer["tensor_snr_db"]),
        )
        for layer in layers
    )
    return Section(
        title="Sensitivity",
        rows=(),
        note="One layer at a time in int8, all others in float: what the model loses. SNR in full int8: the layer's "
        "own output when every layer is in int8, with the noise of the layers before it.",
        plot=_sensitivity_plot(layers, metric),
        table=Table(title="Layers, the most sensitive first", header=header, rows=rows),
        marks=(Provenance.MEASURED,),
    )


def _sensitivity_plot(layers: list[Part], metric: Judged) -> AmountPlot:
    drops = [layer["drop"].number() for layer in layers]
    if any(drop is not None and drop > 0 for drop in drops):
        bars = [
            Amount(label=_label(layer), value=max(drop or 0.0, 0.0), text=_loss(layer["drop"], metric))
            for layer, drop in zip(layers, drops, strict=True)
        ]
        name = "Top-1" if metric == Judged() else metric.name
        return AmountPlot(title=f"{name} lost by this layer alone in int8", bars=tuple(bars[:_MOST_BARS]))
    return _snr_plot("Signal to noise of the output with this layer alone in int8; short is bad", layers)


def _snr_plot(title: str, layers: list[Part]) -> AmountPlot:
    bars = [
        Amount(label=_label(layer), value=max(layer["snr_db"].number() or 0.0, 0.0), text=_decibels(layer["snr_db"]))
        for layer in layers
    ]
    return AmountPlot(title=title, bars=tuple(bars[:_MOST_BARS]))


def _label(layer: Part) -> str:
    return short_name(layer["name"].text() or "a layer")


def _loss(part: Part, metric: Judged) -> str:
    value = part.number()
    return _NONE if value is None else metric.loss(value)


def _decibels(part: Part) -> str:
    value = part.number()
    return _NONE if value is None else f"{round(value, 1) + 0.0:.1f} dB".replace("-", "−")


def _trials(part: Part) -> Section | None:
    trials = part["trials"].items()
    if len(trials) < 2:
        return None
    taken, metric = part["artifact"]["sha256"].text(), metric_of(part)
    header = ("trial", "settings", "file", "zipped", metric.name, "lost", "at most", "budget", "")
    rows = tuple(
        (
            str(number),
            _settings(trial["settings"]),
            _bytes(trial["size_bytes"]),
            _bytes(trial["zip_bytes"]),
            _NONE if (value := value_of(trial).number()) is None else metric.figure(value),
            _loss(trial["drop"], metric),
            _loss(trial["drop_bound"], metric),
            trial["outcome"].text() or _NONE,
            "taken" if taken and trial["sha256"].text() == taken else "",
        )
        for number, trial in enumerate(trials, start=1)
    )
    confidence = part["budget"]["confidence"].number()
    sure = "" if confidence is None else f" At most: its upper bound at {confidence:.0%} confidence."
    return Section(
        title="Trials",
        rows=(),
        note=f"Every variant that was tried. Lost: {metric.name} of the float model minus that of the variant"
        f"{'' if metric.is_share else ', or the other way round for an error'}.{sure}",
        table=Table(title="Trials", header=header, rows=rows),
        marks=(Provenance.MEASURED,),
    )


def _settings(part: Part) -> str:
    """`prune.sparsity = 0.9`; lists of layers by their length."""
    words = []
    for name, text in part.entries():
        layers = text.count('"') // 2 if text.startswith("[") else 0
        words.append(f"{name} = {layers} {'layer' if layers == 1 else 'layers'}" if layers else f"{name} = {text}")
    return ", ".join(words) or "the recipe as it is"


def _compared(part: Part) -> Iterator[Section | None]:
    """A comparison of two files: figures side by side, what they run on, and the layers."""
    if not part["float"]["path"].text():
        return
    sides = (part["float"], part["artifact"])
    names = {
        "size_bytes": "file", "zip_bytes": "zipped", "gzip_bytes": "gzipped", "parameters": "parameters",
        "unique_weights": "most different values in a weight tensor", "macs": "multiply-accumulates",
        "activation_bytes": "activations, at least",
    }  # fmt: skip
    rows = []
    for key, name in names.items():
        texts = [_bytes(side[key]) if key.endswith("bytes") else _count(side[key]) for side in sides]
        rows.append((name, *texts))
    rows.append(("zeros among the weights", *(_share(side["sparsity"]) for side in sides)))
    metric = metric_of(part)
    values = [value_of(side)["value"].number() for side in sides]
    rows.append((metric.name, *(_NONE if value is None else metric.figure(value) for value in values)))
    for kind, title in {"gpu": "runs on a GPU (LiteRT)", "mcu": "runs on a microcontroller (tflite-micro)"}.items():
        rows.append((title, *(_verdict(side["runs_on"][kind]) for side in sides)))
    yield Section(
        title="Side by side",
        rows=tuple(_output_rows(part["outputs"], metric)),
        table=Table(title="Side by side", header=("", "float", "artifact"), rows=tuple(rows)),
        marks=(Provenance.MEASURED,),
    )
    yield _layers(part)


def _output_rows(outputs: Part, metric: Judged) -> Iterator[Row]:
    samples, drop = outputs["samples"].count(), outputs["drop"]
    of_n = f"on {samples:,} samples" if samples is not None else ""
    if drop["value"].number() is not None:
        bounds = [_loss(bound, metric) for bound in drop["ci95"].items()]
        yield Row(
            metric=f"{metric.name} lost",
            value=_loss(drop["value"], metric),
            interval=" – ".join(bounds),
            provenance=Provenance.MEASURED,
            note=f"{of_n}, the same for both",
        )
    if outputs["snr_db"].present:
        yield Row(
            metric="signal to noise of the output",
            value=_decibels(outputs["snr_db"]) if outputs["snr_db"] else "no difference",
            provenance=Provenance.MEASURED,
            note=of_n,
        )


def _layers(part: Part) -> Section | None:
    layers = part["layers"].items()
    if not layers:
        return None
    header = ("layer", "operator", "SNR", "MSE", "cosine", "largest error", "largest value", "matched by")
    rows = tuple(
        (
            _label(layer),
            layer["op"].text() or _NONE,
            _decibels(layer["snr_db"]) if layer["snr_db"] else "no noise",
            *(
                _NONE if (value := layer[key].number()) is None else f"{value:.4g}"
                for key in ("mse", "cosine", "max_abs_error", "max_abs_value")
            ),
            layer["matched_by"].text() or _NONE,
        )
        for layer in layers
    )
    noisy = [layer for layer in layers if layer["snr_db"].number() is not None]
    samples = part["layer_samples"].count()
    return Section(
        title="Layers",
        rows=(),
        note=f"The worst first, on {samples} real inputs, built-in kernels without a delegate." if samples else "",
        plot=_snr_plot("Signal to noise of each layer's output; short is bad", noisy) if noisy else None,
        table=Table(title="Layers, the worst first", header=header, rows=rows),
        marks=(Provenance.MEASURED,),
    )


def _share(part: Part) -> str:
    value = part.number()
    return _NONE if value is None else _wording.share(value)


def _verdict(part: Part) -> str:
    if not part.present:
        return _NONE
    reasons = [text for reason in part["reasons"].items() if (text := reason.text())]
    return "; ".join(reasons) or "nothing known against it"
