"""Which wheel a runtime really came from: its version, and a digest that a rebuild of that version changes."""

from __future__ import annotations

import csv
import hashlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def facts(versions: dict[str, str]) -> dict[str, Any]:
    """Versions of a runner's distributions, and the digest of each; None for what was not installed from a wheel."""
    return {"versions": versions, "wheels": {name: _wheel_sha256(name) for name in versions}}


def _wheel_sha256(name: str) -> str | None:
    try:
        record = metadata.distribution(name).read_text("RECORD")
    except metadata.PackageNotFoundError:
        return None
    return record_sha256(record.splitlines()) if record else None


def record_sha256(record: Iterable[str]) -> str:
    """A digest of the lines of a RECORD file (packaging.python.org, "Recording installed projects").

    Installers add lines of their own (bytecode, INSTALLER, REQUESTED, scripts), so that the file of one wheel differs
    from machine to machine; the modules and libraries, which say what runs, do not.
    """
    rows = (row for row in csv.reader(record) if len(row) == 3 and row[1])
    kept = sorted(",".join(row) for row in rows if ".dist-info/" not in row[0] and not row[0].startswith(("..", "/")))
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()
