"""How warm a device is when it is measured, kept so that the next measurement begins alike (edgekit-bench/1, D2)."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgekit.core.digest import sha256_bytes
from edgekit.core.files import write_atomically
from edgekit.flows.measuring.floor import MAX_AGE
from edgekit.store.results import default_path

SCHEMA = "edgekit.start/1"
WITHIN_C = 5.0


def keep_start(device: str, temperature_c: float, *, now: datetime | None = None) -> None:
    """Remember at which temperature a device's measurements begin.

    Raises:
        StorageError: the disk is full.
    """
    document = {
        "schema": SCHEMA,
        "device": device,
        "temperature_c": temperature_c,
        "measured_utc": (now or datetime.now(UTC)).isoformat(),
    }
    write_atomically(_path(device), json.dumps(document, sort_keys=True, indent=1).encode())


def kept_start(device: str, *, now: datetime | None = None) -> float | None:
    """At which temperature, C, a device's measurements begin; None if none was made within a week."""
    try:
        document: dict[str, Any] = json.loads(_path(device).read_bytes())
        age = (now or datetime.now(UTC)) - datetime.fromisoformat(document["measured_utc"])
        temperature_c = float(document["temperature_c"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a damaged note is as good as none
    is_sound = document.get("schema") == SCHEMA and age <= MAX_AGE and math.isfinite(temperature_c)
    return temperature_c if is_sound else None


def _path(device: str) -> Path:
    return default_path().parent / "starts" / f"{sha256_bytes(device.encode())}.json"
