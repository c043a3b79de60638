"""Runs that happened, with their raw measurements, in one SQLite file: written once, never changed."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_data_path

from edgekit.core.errors import InputError
from edgekit.core.suggest import did_you_mean
from edgekit.store import _rows
from edgekit.store._database import transaction
from edgekit.store._rows import RunStatus, StoredRun

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from edgekit.core.measurement import Measurement

__all__ = ["ResultStore", "RunStatus", "StoredRun", "default_path"]

_SELECT_RUNS = """
SELECT *, EXISTS (SELECT 1 FROM measurements WHERE measurements.run_id = runs.run_id) AS has_measurement FROM runs
"""
_NEWEST_FIRST = "ORDER BY created_utc DESC, rowid DESC"


def default_path() -> Path:
    """Where runs are kept: `results.sqlite3` in EDGEKIT_DATA_DIR or else in the user's data folder."""
    folder = os.environ.get("EDGEKIT_DATA_DIR")
    return (Path(folder) if folder else user_data_path("edgekit")) / "results.sqlite3"


class ResultStore:
    """The runs in one database file, shared by any number of processes and threads.

    Every method may raise InputError (the file is not ours), ConfigurationError (a newer edgekit wrote it),
    StorageError (full, read-only or failing disk) and LockedError (locked for half a minute).

    Args:
        path: the database; made, with its folders, at the first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, document: Mapping[str, Any], measurement: Measurement | None = None) -> str:
        """Keep a run for good.

        Args:
            document: a run document. `status` (or else the presence of `error`) says how the run ended,
                `command` (text or a list of words) what was asked for.
            measurement: the raw samples, when there are any.

        Returns:
            The new run's id.

        Raises:
            InternalError: the document or the measurement's facts are not plain JSON.
        """
        now = datetime.now(UTC)
        run_id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        row = {
            "run_id": run_id,
            "created_utc": f"{now:%Y-%m-%dT%H:%M:%S.%f}Z",
            **_rows.from_run(document, measurement),
        }
        with transaction(self.path, write=True) as connection:
            _insert(connection, "runs", row)
            if measurement is not None:
                _insert(connection, "measurements", {"run_id": run_id, **_rows.from_measurement(measurement)})
                for position, run in enumerate(measurement.runs):
                    row = {"run_id": run_id, "position": position, **_rows.from_process_run(run)}
                    _insert(connection, "process_runs", row)
        return run_id

    def run(self, run_id: str) -> StoredRun:
        """One run.

        Raises:
            InputError: there is no such run.
        """
        found = self._select("WHERE run_id = :run_id", {"run_id": run_id})
        if not found:
            known = [run.run_id for run in self.latest(100)]
            hint = did_you_mean(run_id, known) or (
                f"the latest run is {known[0]}" if known else "there are no runs yet"
            )
            raise InputError(f"there is no run {run_id!r} in {self.path}", hint=hint)
        return found[0]

    def latest(self, n: int) -> list[StoredRun]:
        """The last n runs, newest first."""
        return self._select(f"{_NEWEST_FIRST} LIMIT :n", {"n": max(n, 0)})

    def find(self, *, device: str | None = None, artifact_digest: str | None = None) -> list[StoredRun]:
        """Runs on a device or of an artifact or both, newest first; None means any."""
        wanted = {"device": device, "artifact_digest": artifact_digest}
        parameters = {column: value for column, value in wanted.items() if value is not None}
        conditions = " AND ".join(f"{column} = :{column}" for column in parameters) or "true"
        return self._select(f"WHERE {conditions} {_NEWEST_FIRST}", parameters)

    def measurement(self, run_id: str) -> Measurement:
        """The raw samples of a run, exactly as they were recorded.

        Raises:
            InputError: there is no such run, or it measured nothing.
        """
        with transaction(self.path, write=False) as connection:
            facts = connection.execute("SELECT * FROM measurements WHERE run_id = ?", (run_id,)).fetchone()
            rows = connection.execute("SELECT * FROM process_runs WHERE run_id = ? ORDER BY position", (run_id,))
            runs = tuple(_rows.process_run(row) for row in rows)
        if facts is None:
            status = self.run(run_id).status
            raise InputError(f"run {run_id} ({status}) holds no measurement", hint="choose a run that measured latency")
        return _rows.measurement(facts, runs)

    def _select(self, clauses: str, parameters: Mapping[str, str | int]) -> list[StoredRun]:
        with transaction(self.path, write=False) as connection:
            return [_rows.stored_run(row) for row in connection.execute(f"{_SELECT_RUNS} {clauses}", parameters)]


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join(f":{column}" for column in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", dict(row))  # noqa: S608 -- our names
