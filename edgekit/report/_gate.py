"""A gate as sections of the page: what counts first, every figure with its limit, and the devices it speaks of."""

from __future__ import annotations

from typing import Any

from edgekit.report import gate_markdown
from edgekit.report._document import Part, printable
from edgekit.report._page import Amount, AmountPlot, Conclusion, Row, Section, Table

_NONE = "–"
_KINDS = {"pass": "pass", "fail": "fail", "inconclusive": "open"}
_ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}
_KEYS = ("metric", "device", "kind", "outcome", "reason")


def is_gate(part: Part) -> bool:
    """Whether the document is a gate's."""
    return (part["schema"].text(40) or "").startswith("edgekit.gate/")


def conclusion(part: Part) -> Conclusion | None:
    """The gate's verdict."""
    verdict = part["verdict"].text(20)
    if not is_gate(part) or verdict not in _KINDS:
        return None
    checks = _checks(part)
    failed = [f"{gate_markdown.label(one)} on {one['device']}" for one in checks if one["counts_as"] == verdict]
    reason = "every check passed" if verdict == "pass" else ", ".join(failed) or "there is nothing to check"
    return Conclusion(kind=_KINDS[verdict], word=verdict, reason=reason)


def sections(part: Part) -> list[Section]:
    """One section a device; nothing for other documents."""
    if not is_gate(part):
        return []
    checks = _checks(part)
    found = []
    for device in part["devices"].items():
        name = device["device"].text(80)
        own = sorted((one for one in checks if one["device"] == name), key=lambda one: _ORDER[one["outcome"]])
        found += [_section(device, own), *_differences(device)]
    return found


def _checks(part: Part) -> list[dict[str, Any]]:
    """Checks of which enough is known to draw them."""
    found = []
    for one in part["checks"].items():
        check: dict[str, Any] = {key: one[key].text() for key in _KEYS}
        if check["outcome"] not in _ORDER or None in (check["metric"], check["device"], check["kind"]):
            continue
        check |= {key: one[key].number() for key in ("value", "baseline", "limit", "p_value")}
        check["flags"] = [text for flag in one["flags"].items() if (text := flag.text(20))]
        found.append(check | {"counts_as": one["counts_as"].text(20)})
    return found


def _section(device: Part, checks: list[dict[str, Any]]) -> Section:
    name, origin = device["device"].text(60) or "a device", device["provenance"].text(20) or ""
    rows = tuple(
        Row(
            metric=f"{gate_markdown.label(one)}: {one['outcome']}",
            value=gate_markdown.amount(one, "value"),
            provenance=origin,
            validity=tuple(flag for flag in one["flags"] if flag != "EMULATED") or (),
            note=_note(one),
        )
        for one in checks
    )
    header = ("check", "baseline", "this build", "change", "limit", "p", "outcome")
    cells = tuple(
        (
            gate_markdown.label(one),
            gate_markdown.amount(one, "baseline"),
            gate_markdown.amount(one, "value"),
            gate_markdown.change(one),
            gate_markdown.amount(one, "limit"),
            _NONE if one["p_value"] is None else f"{one['p_value']:.2g}",
            one["outcome"],
        )
        for one in checks
    )
    flags = [text for flag in device["flags"].items() if (text := flag.text(20)) and text != "EMULATED"]
    bars = [bar for one in checks if (bar := _bar(one)) is not None]
    plot = AmountPlot(title="Each figure as a share of its limit, the upright mark", bars=tuple(bars)) if bars else None
    return Section(
        title=f"Checks on {name}",
        rows=rows,
        plot=plot,
        table=Table(title="Checks in numbers", header=header, rows=cells),
        marks=tuple(mark for mark in (origin, *flags) if mark),
    )


def _note(check: dict[str, Any]) -> str:
    limit = "" if check["limit"] is None else f"limit {gate_markdown.amount(check, 'limit')}"
    left_out = "left out by --fail-on" if check["counts_as"] is None else ""
    return "; ".join(filter(None, (limit, check["reason"], left_out)))


def _bar(check: dict[str, Any]) -> Amount | None:
    """A figure that must not be larger than its limit."""
    value, limit = check["value"], check["limit"]
    if check["metric"] == "accuracy" or value is None or not limit or value < 0 or limit < 0:
        return None
    text = f"{check['outcome']}, {100 * value / limit:.0f} % of the limit"
    muted = check["outcome"] == "pass"
    return Amount(label=gate_markdown.label(check), value=value / limit, text=text, limit=1.0, is_muted=muted)


def _differences(device: Part) -> list[Section]:
    rows = tuple(
        (printable(one["what"].text(40) or _NONE).replace("_", " "), one["reason"].text() or _NONE)
        for one in device["comparability"].items()
    )
    if not rows:
        return []
    name = device["device"].text(60) or "a device"
    table = Table(title="Since the baseline was saved", header=("what", "difference"), rows=rows)
    return [Section(title=f"What changed on {name}", rows=(), table=table)]
