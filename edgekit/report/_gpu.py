"""What the GPU delegate made of the artifact, as a section of the page."""

from __future__ import annotations

from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Row, Section, Table

TITLE = "GPU delegate"
_NONE = "–"


def section(part: Part) -> Section | None:
    """Whether the whole model runs there, how far its answers are from the CPU's, and what it refuses; no speed."""
    gpu = part["gpu"]
    if not gpu:
        return None
    if not gpu["ran"].flag():
        rows = [Row(metric="run", value="not run", note=gpu["reason"].text() or _wording.NO_REASON)]
    else:
        rows = [_acceleration(gpu), *_distance(gpu)]
    return Section(
        title=TITLE,
        rows=tuple(rows),
        note="Answers only: a software GPU says nothing of speed.",
        table=_refusals(gpu),
    )


def _acceleration(gpu: Part) -> Row:
    on_gpu, on_cpu = gpu["operators"]["gpu"].count(), gpu["operators"]["cpu"].count()
    shares = "" if on_gpu is None or on_cpu is None else f"{on_gpu} operators on the GPU, {on_cpu} on the CPU; "
    return Row(
        metric="fully accelerated",
        value="yes" if gpu["fully_accelerated"].flag() else "no",
        provenance=gpu["provenance"].text(20) or "",
        note=f"{shares}{gpu['adapter'].text() or 'on an unknown device'}",
    )


def _distance(gpu: Part) -> list[Row]:
    origin = gpu["provenance"].text(20) or ""
    samples, kind = gpu["samples"].count(), gpu["data"].text(20) or ""
    where = f"against XNNPACK on the CPU, {samples} {kind} samples"
    tolerance = gpu["tolerance"].number()
    judged = "" if tolerance is None else f"; {'' if gpu['agrees'].flag() else 'more than '}{tolerance:.3g} is allowed"
    rows = [_row("largest difference", gpu["max_abs_difference"], origin, where + judged)]
    rows += [_row("root mean square difference", gpu["rmse"], origin), _row("cosine", gpu["cosine"], origin)]
    if (share := gpu["agreement"].number()) is not None:
        rows.append(Row(metric="same class", value=_wording.share(share), provenance=origin, note=where))
    return rows


def _row(metric: str, part: Part, origin: str, note: str = "") -> Row:
    value = part.number()
    text = _wording.NOT_MEASURED if value is None else f"{value:.6g}"
    return Row(metric=metric, value=text, provenance=origin, note=note)


def _refusals(gpu: Part) -> Table | None:
    """Operators that the delegate refused, or where it was not run what our rules say."""
    found = gpu["unsupported"].items() or gpu["rules"]["findings"].items()
    if not found:
        return None
    rows = tuple(
        (item["op"].text(60) or _NONE, item["layer"].text(120) or _NONE, item["reason"].text() or _NONE)
        for item in found
    )
    return Table(title="Not for the GPU", header=("operator", "layer", "reason"), rows=rows)
