"""What the compiled microcontroller image needs and costs, as a section of the page."""

from __future__ import annotations

from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Row, Section, Table

TITLE = "Microcontroller"
_LAYERS = 24


def section(part: Part) -> Section | None:
    """Flash, RAM, stack, instructions and the estimate that they give, and whether the answers are the oracle's."""
    mcu = part["mcu"]
    if not mcu:
        return None
    emulator = mcu["emulator"].text(80) or ""
    rows = [
        _bytes("flash", mcu["flash_bytes"], mcu["board"]["flash_bytes"], _flash_note(mcu)),
        _bytes("RAM", mcu["ram_bytes"], mcu["board"]["ram_bytes"], _ram_note(mcu)),
        _bytes("stack", mcu["stack_bytes"], None, "most that one inference used"),
        _instructions(mcu, emulator),
        *_estimate(mcu),
        _exact(mcu),
    ]
    return Section(
        title=TITLE,
        rows=tuple(rows),
        note="Instructions are exact, counted under emulation; cycles and time are estimates: no silicon was measured.",
        table=_layers(mcu),
    )


def _bytes(metric: str, part: Part, limit: Part | None, note: str) -> Row:
    value, most = part.count(), None if limit is None else limit.count()
    text = _wording.NOT_MEASURED if value is None else f"{value:,} B"
    of = f"of {most:,} B; " if most is not None else ""
    return Row(
        metric=metric, value=text, provenance="" if value is None else "emulated", note=f"{of}{note}".strip("; ")
    )


def _flash_note(mcu: Part) -> str:
    weights, code = mcu["weights_bytes"].count(), mcu["code_bytes"].count()
    return "" if weights is None or code is None else f"weights and tables {weights:,} B, the model's code {code:,} B"


def _ram_note(mcu: Part) -> str:
    arena = mcu["arena_bytes"].count()
    return "" if arena is None else f"arena {arena:,} B, input and output in it"


def _instructions(mcu: Part, emulator: str) -> Row:
    value = mcu["instructions"].count()
    text = _wording.NOT_MEASURED if value is None else f"{value:,}"
    return Row(metric="instructions", value=text, provenance="" if value is None else "emulated", note=emulator)


def _estimate(mcu: Part) -> list[Row]:
    cycles = mcu["cycles_estimate"]
    value, low, high, clock = (
        part.number() for part in (cycles["value"], cycles["low"], cycles["high"], mcu["board"]["clock_hz"])
    )
    if value is None or low is None or high is None:
        return []
    rows = [
        Row(
            metric="cycles",
            value=f"{value:,.0f}",
            interval=f"{low:,.0f} to {high:,.0f}",
            provenance="estimated",
            note=f"{mcu['core'].text(40) or 'core'}, model of instruction classes",
        )
    ]
    if clock:
        ms = [each / clock * 1e3 for each in (value, low, high)]
        rows.append(
            Row(
                metric="time",
                value=f"{ms[0]:.2f} ms",
                interval=f"{ms[1]:.2f} to {ms[2]:.2f} ms",
                provenance="estimated",
                note=f"at {clock / 1e6:g} MHz",
            )
        )
    return rows


def _exact(mcu: Part) -> Row:
    samples = mcu["exact_samples"].count()
    if not mcu["exact"]:
        return Row(metric="bit-exact", value=_wording.NOT_MEASURED, note=mcu["exact_reason"].text() or "")
    note = (
        f"{samples or 0:,} inputs against {mcu['oracle'].text(80) or 'the oracle'}, rounding {mcu['profile'].text(20)}"
    )
    return Row(metric="bit-exact", value="yes" if mcu["exact"].flag() else "no", provenance="emulated", note=note)


def _layers(mcu: Part) -> Table | None:
    found = mcu["layers"].items()
    counted = [item for item in found if item["instructions"].count() is not None]
    if not counted:
        return None
    costliest = sorted(counted, key=lambda item: -(item["instructions"].count() or 0))[:_LAYERS]
    rows = tuple(
        (item["name"].text(60) or "?", f"{item['instructions'].count():,}", _per_mac(item)) for item in costliest
    )
    title = "Instructions by layer" + (f" (the {_LAYERS} costliest)" if len(counted) > _LAYERS else "")
    return Table(title=title, header=("layer", "instructions", "per multiply-accumulate"), rows=rows)


def _per_mac(item: Part) -> str:
    macs = item["macs"].count()
    return f"{(item['instructions'].count() or 0) / macs:.2f}" if macs else ""
