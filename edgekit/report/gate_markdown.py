"""A gate as GitHub's Markdown, for a pull request or a job summary: what failed first, every figure in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.core.units import format_bytes, format_ns
from edgekit.report.markdown import as_table, escaped

_SIGNS = {"pass": "✅ pass", "fail": "❌ fail", "inconclusive": "⚠️ inconclusive"}
_HEADER = ("check", "baseline", "this build", "change", "limit", "outcome")
_LABELS = {
    "latency_ns": "latency, median",
    "latency_p90_ns": "latency, p90",
    "instructions": "instructions of a call",
    "ram_bytes": "memory, peak",
    "flash_bytes": "size of the file",
    "accuracy": "accuracy",
    "accuracy_drop": "accuracy lost to the float model",
    "metric_drop": "metric lost to the float model",
    "device": "the device itself",
}
_FIRST = ("fail", "inconclusive", "pass", None)


def render(document: Mapping[str, Any]) -> str:
    """The document of `edgekit gate`; what devices and models say cannot become markup, a link or a mention."""
    model, baseline = document["model"], document["baseline"]
    against = f" against the baseline {escaped(baseline)}" if baseline else ""
    lines = [
        f"## edgekit gate: {_SIGNS[document['verdict']]}",
        "",
        f"{escaped(model['name'])} (`{model['sha256'][:12]}`, {format_bytes(model['size_bytes'])}){against}",
        "",
    ]
    for device in document["devices"]:
        lines += _device(device, [check for check in document["checks"] if check["device"] == device["device"]])
    return "\n".join(lines)


def label(check: Mapping[str, Any]) -> str:
    """What a check is called in a table."""
    name = _LABELS.get(check["metric"], check["metric"])
    return f"{name} (budget)" if check["kind"] == "budget" and check["metric"] != "device" else name


def amount(check: Mapping[str, Any], key: str) -> str:
    """A check's value, baseline or limit with its unit; a dash where there is none."""
    value, metric = check[key], check["metric"]
    if value is None:
        return "–"
    if metric.endswith("_ns"):
        return format_ns(value)
    if metric.endswith("_bytes"):
        return format_bytes(round(value))
    if metric == "accuracy_drop":
        return f"{value * 100:.2f} points"
    if metric == "accuracy" and 0 <= value <= 1:
        return f"{value * 100:.2f} %"
    return f"{value:,.0f}" if metric == "instructions" else f"{value:.4g}"


def change(check: Mapping[str, Any]) -> str:
    """From the baseline's figure to this one; points for an accuracy."""
    before, after = check["baseline"], check["value"]
    if before is None or after is None:
        return "–"
    if check["metric"] == "accuracy":
        return f"{(after - before) * 100:+.2f} points".replace("-", "−")
    return f"{after / before - 1:+.1%}".replace("-", "−").replace("%", " %") if before else "–"


def outcome(check: Mapping[str, Any]) -> str:
    """The outcome, and what it counts as where that is something else."""
    shown = _SIGNS[check["outcome"]]
    if check["counts_as"] is None:
        return f"{shown}, does not count"
    return shown if check["counts_as"] == check["outcome"] else f"{shown}, counts as {check['counts_as']}"


def _device(device: Mapping[str, Any], checks: list[dict[str, Any]]) -> Iterator[str]:
    emulated = ", EMULATED: its times say nothing of the machine" if device["provenance"] == "emulated" else ""
    yield f"### {escaped(device['device'])}{emulated}"
    yield ""
    checks = sorted(checks, key=lambda check: _FIRST.index(check["counts_as"]))
    rows = [
        (label(check), amount(check, "baseline"), amount(check, "value"), change(check), amount(check, "limit"),
         outcome(check))
        for check in checks
    ]  # fmt: skip
    yield from as_table(_HEADER, rows)
    open_ = [check for check in checks if check["outcome"] != "pass"]
    for check in open_:
        yield f"- **{label(check)}**: {escaped(check['reason'])}"
    if open_:
        yield ""
    notes = [entry["reason"] for entry in device["comparability"] if not entry["blocks"]]
    settled = [f"{label(check)}: {check['reason']}" for check in checks if check["outcome"] == "pass"]
    yield "<details><summary>How each figure was found</summary>"
    yield ""
    for line in [*settled, *notes, *(f"flag {flag}" for flag in device["flags"])]:
        yield f"- {escaped(line)}"
    yield ""
    yield "</details>"
    yield ""
