"""From a run document and its raw measurement to the page that every format draws."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from edgekit.core.measurement import Provenance, Validity
from edgekit.report import (
    _classes,
    _comparison,
    _compression,
    _drift,
    _fleet,
    _gate,
    _gpu,
    _history,
    _latency,
    _mcu,
    _npu,
    _plots,
    _profile,
    _search,
    _search_front,
    _variants,
    _wording,
    memory_plan,
)
from edgekit.report._document import Part, printable
from edgekit.report._metric import metric_of, score_row
from edgekit.report._page import Facts, ReportPage, Row, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgekit.core.measurement import Measurement

_COMMAND_LIMIT = 4000


def build_page(document: Mapping[str, Any], measurement: Measurement | None = None) -> ReportPage:
    """Decide everything that a report says.

    Args:
        document: what a command prints with `--json`; parts may be missing, null or odd.
        measurement: the raw samples of its profile, for the latency plot.
    """
    part = Part(document)
    compared, latency = _comparison.sections(part), _latency.latency(part, measurement)
    checks = _gate.sections(part)
    sections = [_size(part), _accuracy(part), None if compared or checks else latency, _latency.memory(part)]
    sections += [
        *_fleet.sections(part),
        *checks,
        latency if checks else None,
        *compared,
        replace(latency, title=f"{latency.title}: the samples of B") if compared and latency else None,
        *_drift.sections(part),
        *_history.sections(part),
        *_profile.sections(part),
        _classes.section(part["evaluation"]["per_class"], _wording.provenance(part["evaluation"]) or ""),
        _deployment(part),
        _budgets(part),
        _gpu.section(part),
        _mcu.section(part),
        _npu.section(part),
        memory_plan.section(part),
        *_compression.sections(part),
        *_variants.sections(part),
        *_search.sections(part),
    ]
    return ReportPage(
        title=_title(part),
        subtitle=_subtitle(part),
        failure=_failure(part),
        remarks=_remarks(part),
        headline=tuple(
            row for section, starts in zip(sections, _HEADLINES, strict=False) for row in _headline(section, starts)
        )
        or tuple(_search_front.headline(part)),
        sections=tuple(section for section in sections if section),
        facts=tuple(facts for facts in (*_search.facts(part), *_facts(part)) if facts.entries),
        command=_command(part),
        verdict=next(
            (found for kind in (_fleet, _gate, _comparison, _search) if (found := kind.conclusion(part)) is not None),
            None,
        ),
    )


_HEADLINES = (("artifact",), ("float model", "artifact on"), (_wording.MEDIAN,), ("peak",))
"""How the metrics of each section start that a reader looks for first; of several the last one is taken."""


def _headline(section: Section | None, starts: tuple[str, ...]) -> Iterator[Row]:
    if section is None:
        return
    for start in starts:
        rows = [row for row in section.rows if row.metric.startswith(start)]
        if rows:
            yield replace(rows[-1], metric=f"{section.title}: {rows[-1].metric}")


def _device(part: Part) -> str | None:
    named = [part[name]["device"].text(80) for name in ("deployment", "profile", "evaluation")]
    return next((name for name in named if name), None)


def _title(part: Part) -> str:
    device, target = _device(part), part["target"].text(80)
    if _history.is_history(part):
        return "History of latencies"
    if _fleet.is_fleet(part):
        return _fleet.title(part)
    if _search.is_search(part):
        return _search.title(part)
    if _gate.is_gate(part):
        baseline = part["baseline"].text(60)
        held = f"the baseline {baseline}" if baseline else "its budgets"
        return f"{part['model'].text(80) or 'a model'} against {held}"
    if runs := [text for side in ("a", "b") if (text := part["runs"][side]["run_id"].text(60))]:
        return " against ".join(reversed(runs))
    if compared := part["float"]["path"].text():
        artifact = part["artifact"]["path"].text() or "an artifact"
        return f"{PurePath(artifact).name} against {PurePath(compared).name}"
    if drift := part["drift"]:
        digest = (drift["artifact_sha256"].text(64) or "")[:12] or "an artifact"
        return f"Drift of {digest} on {drift['device'].text(80) or 'a device'}"
    if part["forms"]:
        return f"{part['model'].text(80)} in several forms for {target}"
    paths = (part["source"]["path"], part["bundle"]["path"], part["model"], part["profile"]["model"])
    path = next((text for found in paths if (text := found.text())), None)
    where = f" on {device}" if device else f" for {target}" if target else ""
    return f"{PurePath(path).name if path else 'run'}{where}"


def _subtitle(part: Part) -> str:
    parts = [(name, (part[name] or part["profile"][name]).text(80)) for name in ("target", "recipe", "created_utc")]
    words = {"target": "target", "recipe": "recipe", "created_utc": "made"}
    return " · ".join(f"{words[name]} {text}" for name, text in parts if text)


def _failure(part: Part) -> str | None:
    error = part["error"]
    if not error:
        return None
    texts = [error["code"].text(), error["message"].text(), error["hint"].text()]
    return ": ".join(text for text in texts if text) or "it does not say why"


def _remarks(part: Part) -> tuple[str, ...]:
    """What speaks against the numbers: the reasons that the document gives, else what its flags mean."""
    profile, evaluation = part["profile"], part["evaluation"]
    told = [
        (flag, reason)
        for doubt in profile["doubts"].items()
        if (flag := doubt["flag"].text(20)) and (reason := doubt["reason"].text())
    ]
    reasons = [f"{flag}: {reason}" for flag, reason in told if flag != Validity.EMULATED]
    said: list[str | None] = [_wording.provenance(profile), _wording.provenance(evaluation)]
    said += [_wording.provenance(part), *(_wording.provenance(device) for device in part["devices"].items())]
    said += [flag for flag in _wording.validity(profile) if flag not in dict(told)]
    warnings = [text for item in part["warnings"].items() if (text := item.text())]
    note = part["note"].text() if _history.is_history(part) else None
    general = [remark for key, remark in _wording.REMARKS.items() if key in said]
    return (*general, *reasons, *warnings, *([note] if note else []))


def _size(part: Part) -> Section | None:
    if part["float"]:  # a comparison has its own table
        return None
    rows = _wording.size_rows(part)
    plot, table = _plots.size_plot(part), _plots.steps_table(part)
    marks = (Provenance.MEASURED,)
    return Section(title="Size", rows=tuple(rows), plot=plot, table=table, marks=marks) if rows or table else None


def _accuracy(part: Part) -> Section | None:
    if _comparison.is_comparison(part):  # its accuracy is a difference
        return None
    evaluation, device = part["evaluation"], _device(part) or "the device"
    emulated = " (emulated)" if _wording.provenance(evaluation) == Provenance.EMULATED else ""
    known = {
        "float model": part["accuracy"]["float"] or evaluation["reference"],
        "artifact on the host": part["accuracy"]["artifact"],
        f"artifact on {device}{emulated}": evaluation["accuracy"],
    }
    judged, scores = metric_of(part), _scores(part, device + emulated)
    rows = [
        _wording.accuracy_row(metric, found)
        for metric, found in known.items()
        if found or (found.present and not scores)
    ]
    rows += [
        _wording.accuracy_row(metric, part[key], reason=part[f"{key}_reason"].text())
        for key, metric in {"accuracy": "artifact on the host", "evaluation": f"artifact on {device}"}.items()
        if part[key].present and not part[key]
    ]
    before, after = known["float model"], evaluation["accuracy"] or part["accuracy"]["artifact"]
    rows += [row for row in [_wording.change_row(before, after)] if row]
    title, named = ("Accuracy", f", {judged.name}") if rows or not scores else (judged.name, "")
    rows += [score_row(f"{metric}{named}", found, judged) for metric, found in scores.items()]
    paired = _classes.paired_row(evaluation["paired"], judged, _wording.provenance(evaluation) or "")
    rows += [paired] if paired else []
    rows += _wording.agreement_rows(evaluation)
    if not rows:
        return None
    plot = _plots.accuracy_plot(known)
    marks = tuple(dict.fromkeys(row.provenance for row in rows if row.provenance))
    return Section(title=title, rows=tuple(rows), plot=plot, marks=marks)


def _scores(part: Part, place: str) -> dict[str, Part]:
    """What was found by the metric that was asked for; empty for top-1."""
    evaluation = part["evaluation"]
    known = {
        "float model": part["metric"]["float"] or evaluation["reference_metric"],
        "artifact on the host": part["metric"]["artifact"],
        f"artifact on {place}": evaluation["metric"],
    }
    return {metric: found for metric, found in known.items() if found}


def _deployment(part: Part) -> Section | None:
    origin = _wording.provenance(part["profile"]) or _wording.provenance(part["evaluation"])
    rows = _wording.deployment_rows(part["deployment"], origin or "")
    return Section(title="Deployment", rows=tuple(rows)) if rows else None


def _budgets(part: Part) -> Section | None:
    rows = _wording.budget_rows(part)
    return Section(title="Budgets", rows=tuple(rows)) if rows else None


def _facts(part: Part) -> list[Facts]:
    run = {
        name.replace("_", " "): part[name].text() for name in ("run_id", "created_utc", "target", "recipe", "status")
    }
    artifacts = [part["artifact"]["sha256"], *(part[name]["artifact_sha256"] for name in ("profile", "evaluation"))]
    digests = {
        "model": part["source"]["sha256"].text(),
        "artifact": next((text for found in artifacts if (text := found.text())), None),
        "evaluation data": part["evaluation"]["dataset_sha256"].text(),
        "bundle": part["bundle"]["sha256"].text() or part["deployment"]["bundle_sha256"].text(),
        "active release": part["deployment"]["active"].text(),
        "previous release": part["deployment"]["previous"].text(),
    }
    versions = {entry for step in part["steps"].items() for entry in step["versions"].entries()}
    return [
        Facts(title="Run", entries=tuple((name, text) for name, text in run.items() if text)),
        Facts(title="Digests (SHA-256)", entries=tuple((name, text) for name, text in digests.items() if text)),
        Facts(title="Versions on the host", entries=tuple(sorted(versions))),
        Facts(title="Plan of the measurement", entries=tuple(part["profile"]["plan"].entries())),
        Facts(title="Environment of the measurement", entries=tuple(part["profile"]["environment"].entries())),
    ]


def _command(part: Part) -> str:
    """The command line that was recorded, or one that does the same."""
    words = [text for item in part["command"].items() if (text := item.text(_COMMAND_LIMIT))]
    if words:
        return printable(shlex.join(words), _COMMAND_LIMIT)
    if text := part["command"].text(_COMMAND_LIMIT):
        return text
    path = part["source"]["path"].text(_COMMAND_LIMIT)
    if path is None:
        return ""
    device = part["deployment"]["device"].text()
    flags = {"--target": part["target"].text(), "--recipe": part["recipe"].text(), "--device": device}
    chosen = [word for flag, text in flags.items() if text for word in (flag, text)]
    return shlex.join(["edgekit", "deploy" if device else "compile", path, *chosen])
