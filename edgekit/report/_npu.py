"""What a compiler for an NPU estimates, as a section of the page."""

from __future__ import annotations

from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Row, Section

TITLE = "NPU (estimated)"
_ESTIMATED = "estimated"


def section(part: Part) -> Section | None:
    """Cycles, time and memory, every one an estimate, with the configuration that it is for."""
    npu = part["npu"]
    if not npu:
        return None
    names = (npu[name].text(60) for name in ("accelerator", "system_config", "memory_mode"))
    left = [operator.text(40) or "?" for operator in npu["cpu_ops"].items()]
    rows = [
        _cycles(npu, has_more=bool(left)),
        *_time(npu),
        _bytes(npu, "SRAM", "sram_bytes"),
        _bytes(npu, "flash", "flash_bytes"),
    ]
    if left:
        rows.append(Row(metric="operators left to the CPU", value=f"{len(left)}", note=", ".join(left)))
    return Section(
        title=TITLE,
        rows=tuple(rows),
        note=f"Estimates of {npu['compiler'].text(60)} for {', '.join(filter(None, names))}: nothing ran.",
    )


def _cycles(npu: Part, *, has_more: bool) -> Row:
    cycles = npu["cycles"].count()
    text = _wording.NOT_MEASURED if cycles is None else f"{cycles:,}"
    return Row(metric="cycles", value=text, provenance=_ESTIMATED, note="of the NPU alone" if has_more else "")


def _time(npu: Part) -> list[Row]:
    cycles, clock = npu["cycles"].count(), npu["clock_hz"].count()
    if not cycles or not clock:
        return []
    note = f"at {clock / 1e6:g} MHz"
    return [Row(metric="time", value=f"{cycles / clock * 1e3:.3f} ms", provenance=_ESTIMATED, note=note)]


def _bytes(npu: Part, metric: str, name: str) -> Row:
    size = npu[name].count()
    return Row(metric=metric, value=_wording.NOT_MEASURED if size is None else f"{size:,} B", provenance=_ESTIMATED)
