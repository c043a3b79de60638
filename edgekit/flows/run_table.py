"""Stored runs as one long table for other programs: a row a run and figure, and a row a raw sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.core.errors import InputError
from edgekit.core.measurement import Measurement
from edgekit.flows.record import load_run, page_document
from edgekit.store.results import ResultStore, StoredRun, default_path
from edgekit.store.tables import Row, write_table

COLUMNS: Mapping[str, type] = {
    "run_id": str,
    "created_utc": str,
    "status": str,
    "device": str,
    "target": str,
    "model": str,
    "recipe": str,
    "artifact_sha256": str,
    "environment_sha256": str,
    "mode": str,
    "provenance": str,
    "flags": str,
    "figure": str,
    "part": str,
    "unit": str,
    "value": float,
    "low": float,
    "high": float,
    "n": int,
    "reason": str,
    "process": int,
    "position": int,
}
"""`low` and `high` are the ends of the 95 % interval, of peak memory and instructions those of the range; `part` names
an operator, a stage or a class; `process` and `position` are those of a raw sample, both from 0."""


def export_runs(path: Path, *, run_id: str | None, device: str | None, raw_samples: bool) -> dict[str, Any]:
    """Write stored runs to a table.

    Args:
        path: ends with .csv or .parquet; an existing file is replaced whole or not at all.
        run_id: only this run, first digits are enough; None takes all.
        device: only runs on this device; None takes all.
        raw_samples: write every sample too.

    Returns:
        The document that `edgekit report --export FILE --json` prints.

    Raises:
        InputError: there is no such run, or none at all.
        UsageError, UnsupportedError, StorageError: as of `write_table`.
    """
    store = ResultStore(default_path())
    runs = store.find(device=device)[::-1] if run_id is None else [store.run(load_run(run_id).run_id)]
    if not runs:
        raise InputError("there are no runs to export", hint="edgekit report --list shows what there is")

    def rows() -> Iterator[Row]:
        for run in runs:
            yield from figure_rows(run)
            if raw_samples and run.has_measurement:
                yield from sample_rows(run, store.measurement(run.run_id))

    return {
        "schema": "edgekit.export-runs/1",
        "path": str(path),
        "runs": len(runs),
        "rows": write_table(path, COLUMNS, rows()),
    }


def figure_rows(run: StoredRun) -> Iterator[Row]:
    """A row for each figure of a run; a run without any, such as one that failed, has one row."""
    document = page_document(run.document)
    profile, evaluation = _mapping(document.get("profile")), _mapping(document.get("evaluation"))
    figures = [*_sizes(document), *_profile_figures(profile), *_evaluation_figures(evaluation)]
    for figure in figures or [{}]:
        yield {**_of_run(run), **figure}


def sample_rows(run: StoredRun, measurement: Measurement) -> Iterator[Row]:
    """A row for each raw sample of a run."""
    of_run = _of_run(run)
    for process, one in enumerate(measurement.runs):
        series: list[tuple[str, str | None, tuple[int, ...]]] = [
            ("warmup_sample", None, one.warmup_ns),
            ("sample", None, one.samples_ns),
        ]
        series += [("stage_sample", stage, times) for stage, times in one.stages_ns.items()]
        for figure, part, times in series:
            for position, time_ns in enumerate(times):
                yield of_run | _figure(figure, "ns", time_ns, part=part) | {"process": process, "position": position}


def _of_run(run: StoredRun) -> dict[str, Any]:
    document = page_document(run.document)
    profile, evaluation = _mapping(document.get("profile")), _mapping(document.get("evaluation"))
    return {
        "run_id": run.run_id,
        "created_utc": run.created_utc,
        "status": str(run.status),
        "device": run.device,
        "target": run.target,
        "model": run.document.get("model") or _mapping(run.document.get("source")).get("path"),
        "recipe": run.document.get("recipe"),
        "artifact_sha256": run.artifact_digest,
        "environment_sha256": profile.get("environment_sha256"),
        "mode": profile.get("mode"),
        "provenance": profile.get("provenance") or evaluation.get("provenance"),
        "flags": " ".join(profile.get("validity", ())),
    }


def _sizes(document: Mapping[str, Any]) -> Iterator[Row]:
    for name in ("source", "reference", "artifact", "bundle"):
        size_bytes = _mapping(document.get(name)).get("size_bytes")
        if size_bytes is not None:
            yield _figure("size", "bytes", size_bytes, part=name)


def _profile_figures(profile: Mapping[str, Any]) -> Iterator[Row]:
    if not profile:
        return
    latency, ends = _mapping(profile.get("latency_ns")), _mapping(profile.get("latency_ci95"))
    reasons, n = _mapping(profile.get("latency_reasons")), profile.get("samples")
    for name in ("p50", "p90", "p95", "p99", "p99_9"):
        yield _figure(f"latency_{name}", "ns", latency.get(name), ends.get(name), n=n, reason=reasons.get(name))
    for name, phase in (*_mapping(profile.get("phases")).items(), *_mapping(profile.get("stages")).items()):
        yield _figure("phase", "ns", phase["value_ns"], phase["ci95"], n=phase["n"], reason=phase["reason"], part=name)
    throughput = _mapping(profile.get("throughput_per_s"))
    yield _figure("throughput", "1/s", throughput.get("value"), throughput.get("ci95"), reason=throughput.get("reason"))
    memory = _mapping(profile.get("memory"))
    yield _figure(
        "peak_rss", "bytes", memory.get("peak_rss_bytes"), memory.get("range_peak_rss_bytes"), n=memory.get("n"),
        reason=memory.get("reason"),
    )  # fmt: skip
    for name in ("baseline_rss", "pss", "private", "swap", "arena"):
        if memory.get(f"{name}_bytes") is not None:
            yield _figure(name, "bytes", memory[f"{name}_bytes"])
    counted = _mapping(profile.get("instructions"))
    yield _figure(
        "instructions", "1", counted.get("value"), [counted["low"], counted["high"]] if counted else None,
        n=counted.get("calls"), reason=profile.get("instructions_reason"),
    )  # fmt: skip
    for operator in profile.get("operators", ()):
        ns = _mapping(operator["ns"])
        yield _figure("operator", "ns", ns.get("value"), ns.get("ci95"), part=operator["name"])


def _evaluation_figures(evaluation: Mapping[str, Any]) -> Iterator[Row]:
    for name in ("accuracy", "reference", "metric", "reference_metric"):
        found = _mapping(evaluation.get(name))
        if found:
            yield _figure(name, "", found["value"], found["ci95"], n=found["n"], part=found.get("name"))
    paired = _mapping(evaluation.get("paired"))
    if paired:
        yield _figure("drop", "", paired["drop"], paired["ci95"], n=paired["n"], part=paired["metric"])
    for one in evaluation.get("per_class", ()):
        yield _figure(
            "class_accuracy", "", one["value"], one["ci95"], n=one["n"], part=one["name"] or str(one["label"])
        )


def _figure(
    figure: str,
    unit: str,
    value: float | None,
    ends: Sequence[float] | None = None,
    *,
    n: int | None = None,
    reason: str | None = None,
    part: str | None = None,
) -> dict[str, Any]:
    """A row's own columns; the reason says why there is no value or no interval."""
    low, high = ends or (None, None)
    return {
        "figure": figure, "part": part, "unit": unit, "value": value, "low": low, "high": high, "n": n,
        "reason": None if ends else reason,
    }  # fmt: skip


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
