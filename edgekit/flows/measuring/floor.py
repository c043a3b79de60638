"""How far a device is from itself: the A/A noise floor, kept for a week."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from edgekit.core.digest import sha256_bytes
from edgekit.core.files import write_atomically
from edgekit.core.measurement import Measurement, Validity
from edgekit.core.regression import LEAST_PROCESSES, noise_floor
from edgekit.flows.measuring.fingerprint import environment_sha256
from edgekit.store.results import default_path

SCHEMA = "edgekit.floor/1"
_QUIET = {Validity.VALID, Validity.SYNTHETIC, Validity.EMULATED}
MAX_AGE = timedelta(days=7)
PROCESSES = 20
"""Of one artifact, split 200 ways (edgekit-bench/1, D10)."""


def floor_of(measurement: Measurement) -> float | None:
    """The floor within one measurement; None with too few processes, or with one that is INVALID."""
    medians = _medians(measurement)
    if len(medians) < 2 * LEAST_PROCESSES or Validity.INVALID in measurement.validity:
        return None
    return noise_floor(medians, seed=measurement.plan.seed)


def keep_floor(measurement: Measurement, *, now: datetime | None = None) -> float | None:
    """Keep the floor of a measurement for its device and environment.

    Returns:
        The floor; None if nothing was kept: fewer than 20 processes, or the machine was not quiet.

    Raises:
        StorageError: the disk is full.
    """
    medians, floor = _medians(measurement), floor_of(measurement)
    if floor is None or len(medians) < PROCESSES or not _QUIET.issuperset(measurement.validity):
        return None
    environment = environment_sha256(measurement)
    document = {
        "schema": SCHEMA,
        "device": measurement.device,
        "environment_sha256": environment,
        "artifact_sha256": measurement.artifact_digest,
        "measured_utc": (now or datetime.now(UTC)).isoformat(),
        "floor": floor,
        "medians_ns": medians,
    }
    write_atomically(_path(measurement.device, environment), json.dumps(document, sort_keys=True, indent=1).encode())
    return floor


def kept_floor(device: str, environment: str, *, now: datetime | None = None) -> float | None:
    """The floor of a device, unless it is older than a week or was never measured.

    Args:
        device: its name.
        environment: fingerprint of its environment.
        now: for tests.
    """
    try:
        document: dict[str, Any] = json.loads(_path(device, environment).read_bytes())
        age = (now or datetime.now(UTC)) - datetime.fromisoformat(document["measured_utc"])
        return float(document["floor"]) if document["schema"] == SCHEMA and age <= MAX_AGE else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a damaged note is as good as none: the least margin holds then


def _medians(measurement: Measurement) -> list[float]:
    return [median(run.samples_ns) for run in measurement.runs if run.samples_ns]


def _path(device: str, environment: str) -> Path:
    return default_path().parent / "floors" / f"{sha256_bytes(f'{device} {environment}'.encode())}.json"
