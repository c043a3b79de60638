"""Between values and the columns of the database, both ways."""

from __future__ import annotations

import json
import shlex
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from edgekit.core.errors import InternalError, MeasurementError
from edgekit.core.measurement import (
    Conditions,
    Doubt,
    InstructionCount,
    Measurement,
    Memory,
    OperatorRun,
    Plan,
    ProcessRun,
    Provenance,
    Validity,
    Window,
)

Row = Mapping[str, Any]

_TIME_COLUMNS = ("import_ns", "load_ns", "first_ns", "warmup_ns", "samples_ns")
"""Of a process, in columns of their own; its other fields are in `facts`."""


class RunStatus(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run as it was recorded; what the document did not say is None.

    Attributes:
        run_id: UTC timestamp and 8 hex digits, e.g. "20261102T142630-ed4566ab".
        created_utc: ISO 8601 with microseconds and Z.
        command: the command line.
        status: how it ended; a failure is a result too.
        device, target: names.
        model_digest, artifact_digest, bundle_digest: SHA-256 of what the user gave, what ran, what was sent.
        document: the JSON that the command prints with `--json`.
        has_measurement: the raw samples were recorded with it.
    """

    run_id: str
    created_utc: str
    command: str | None
    status: RunStatus
    device: str | None
    target: str | None
    model_digest: str | None
    artifact_digest: str | None
    bundle_digest: str | None
    document: Mapping[str, Any]
    has_measurement: bool


def to_json(value: Any) -> str:
    """JSON text in ASCII, because UTF-8 cannot carry every string that a file name can hold.

    Raises:
        InternalError: the value is not plain JSON.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as cause:
        raise InternalError(f"a run that is to be recorded is not plain JSON: {cause}") from cause


def from_run(document: Mapping[str, Any], measurement: Measurement | None) -> dict[str, Any]:
    """What `runs` keeps of a document: the columns that people search by, and the document itself."""
    deployment = _mapping(document.get("deployment"))
    return {
        "command": _command(document.get("command")),
        "status": _status(document),
        "device": _text(deployment.get("device"))
        or _text(document.get("device"))
        or (measurement.device if measurement else None),
        "target": _text(document.get("target")) or _text(_mapping(document.get("target")).get("name")),
        "model_digest": _text(_mapping(document.get("source")).get("sha256")),
        "artifact_digest": _text(_mapping(document.get("artifact")).get("sha256"))
        or _text(document.get("artifact_sha256"))
        or (measurement.artifact_digest if measurement else None),
        "bundle_digest": _text(_mapping(document.get("bundle")).get("sha256"))
        or _text(deployment.get("bundle_sha256")),
        "document": to_json(document),
    }


def from_measurement(measurement: Measurement) -> dict[str, Any]:
    """What `measurements` keeps: everything but the samples."""
    return {
        "device": measurement.device,
        "artifact_digest": measurement.artifact_digest,
        "provenance": measurement.provenance,
        "validity": to_json(measurement.validity),
        "plan": to_json(asdict(measurement.plan)),
        "memory": to_json(asdict(measurement.memory) if measurement.memory else None),
        "memory_reason": to_json(measurement.memory_reason),
        "environment": to_json(dict(measurement.environment)),
        "doubts": to_json([asdict(doubt) for doubt in measurement.doubts]),
        "memories": to_json([asdict(memory) for memory in measurement.memories]),
        "operators": to_json([asdict(operator) for operator in measurement.operators]),
        "operators_reason": to_json(measurement.operators_reason),
        "instructions": to_json(asdict(measurement.instructions) if measurement.instructions else None),
        "instructions_reason": to_json(measurement.instructions_reason),
    }


def from_process_run(run: ProcessRun) -> dict[str, Any]:
    """What `process_runs` keeps: times in nanoseconds, the many as int64 little-endian.

    Raises:
        MeasurementError: a time is no 64-bit number, so no clock gave it.
    """
    times = (run.import_ns, run.load_ns, run.first_ns, *run.warmup_ns, *run.samples_ns)
    if wrong := [time_ns for time_ns in times if not -(2**63) <= time_ns < 2**63]:
        raise MeasurementError(f"{wrong[0]} ns is not a time", hint="is the device's agent damaged? deploy it again")
    return {
        "import_ns": run.import_ns,
        "load_ns": run.load_ns,
        "first_ns": run.first_ns,
        "warmup_ns": struct.pack(f"<{len(run.warmup_ns)}q", *run.warmup_ns),
        "samples_ns": struct.pack(f"<{len(run.samples_ns)}q", *run.samples_ns),
        "facts": to_json({name: value for name, value in asdict(run).items() if name not in _TIME_COLUMNS}),
    }


def stored_run(row: Row) -> StoredRun:
    """A row of `runs` with `has_measurement` added."""
    columns = {key: row[key] for key in row.keys()}  # noqa: SIM118 -- a sqlite3.Row iterates over values
    return StoredRun(
        **{
            **columns,
            "status": RunStatus(row["status"]),
            "document": json.loads(row["document"]),
            "has_measurement": bool(row["has_measurement"]),
        }
    )


def measurement(row: Row, runs: tuple[ProcessRun, ...]) -> Measurement:
    """A row of `measurements` with its processes."""
    memory, plan, instructions = (json.loads(row[name]) for name in ("memory", "plan", "instructions"))
    return Measurement(
        device=row["device"],
        artifact_digest=row["artifact_digest"],
        plan=Plan(**plan | {"affinity": tuple(plan.get("affinity", ()))}),
        runs=runs,
        memory=Memory(**memory) if memory else None,
        memory_reason=json.loads(row["memory_reason"]),
        provenance=Provenance(row["provenance"]),
        validity=tuple(Validity(flag) for flag in json.loads(row["validity"])),
        environment=json.loads(row["environment"]),
        doubts=tuple(
            Doubt(flag=Validity(doubt["flag"]), reason=doubt["reason"]) for doubt in json.loads(row["doubts"])
        ),
        memories=tuple(Memory(**memory) for memory in json.loads(row["memories"])),
        operators=tuple(
            OperatorRun(**operator | {"ns": tuple(operator["ns"])}) for operator in json.loads(row["operators"])
        ),
        operators_reason=json.loads(row["operators_reason"]),
        instructions=InstructionCount(**instructions) if instructions else None,
        instructions_reason=json.loads(row["instructions_reason"]),
    )


def process_run(row: Row) -> ProcessRun:
    """A row of `process_runs`."""
    return ProcessRun(
        import_ns=row["import_ns"],
        load_ns=row["load_ns"],
        first_ns=row["first_ns"],
        warmup_ns=_times(row["warmup_ns"]),
        samples_ns=_times(row["samples_ns"]),
        **_process_facts(json.loads(row["facts"])),
    )


def _process_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """What `facts` holds, as values; a run of schema 1 has none."""
    if not facts:
        return {}
    sentinel_ns = facts["sentinel_ns"]
    return facts | {
        "sentinel_ns": None if sentinel_ns is None else tuple(sentinel_ns),
        "before": _conditions(facts["before"]),
        "after": _conditions(facts["after"]),
        "stages_ns": {name: tuple(times) for name, times in facts["stages_ns"].items()},
        "windows": tuple(
            Window(samples=window["samples"], conditions=Conditions(**window["conditions"]))
            for window in facts["windows"]
        ),
    }


def _conditions(value: Mapping[str, Any] | None) -> Conditions | None:
    return None if value is None else Conditions(**value)


def _times(blob: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(blob) // 8}q", blob)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    """Text that a TEXT column can hold, or None; the document keeps the original."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else None


def _command(value: object) -> str | None:
    return _text(shlex.join(map(str, value)) if isinstance(value, list | tuple) else value)


def _status(document: Mapping[str, Any]) -> RunStatus:
    if document.get("status") is not None:
        return RunStatus(document["status"])
    return RunStatus.FAILED if document.get("error") else RunStatus.COMPLETE
