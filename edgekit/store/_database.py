"""The SQLite file: opened with care, brought to the newest schema, its errors translated into ours."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import ConfigurationError, EdgekitError, InputError, LockedError, StorageError
from edgekit.core.files import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA_FOLDER = Path(__file__).parent / "schema"
_APPLICATION_ID = int.from_bytes(b"edgk")  # set by the first migration
_BUSY_TIMEOUT_S = 30.0


def migrations() -> list[Path]:
    """The numbered .sql files; the n-th takes a database from version n - 1 to n."""
    return sorted(_SCHEMA_FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))


@contextmanager
def transaction(path: Path, *, write: bool) -> Iterator[sqlite3.Connection]:
    """A connection inside one transaction, committed at the end and rolled back on any error.

    Args:
        path: the database; it and its folders are made when they are missing.
        write: take the write lock at the start, waiting for other writers.

    Raises:
        InputError: the path is no database, another program's database, or may not be opened.
        ConfigurationError: a newer edgekit wrote it; it is left as it was.
        StorageError: the disk is full, read-only or failing, or the database is damaged.
        LockedError: another process keeps it locked for half a minute.
    """
    with _translated(path), storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA recursive_triggers = ON")  # else INSERT OR REPLACE deletes past the triggers
            connection.row_factory = sqlite3.Row
            if _version(connection, path) < len(migrations()):
                _migrate_alone(connection, path)
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            with connection:  # commits, or rolls back
                yield connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema's number, 0 for an empty database; only reads."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if application != _APPLICATION_ID and (version or application or tables):
        raise InputError(f"{path} is a database of another program", hint="set EDGEKIT_DATA_DIR to another folder")
    if version > len(migrations()):
        raise ConfigurationError(
            f"{path} has schema {version}; this edgekit reads up to schema {len(migrations())}",
            hint="upgrade edgekit, or set EDGEKIT_DATA_DIR to another folder",
        )
    return version


def _migrate_alone(connection: sqlite3.Connection, path: Path) -> None:
    from filelock import FileLock, Timeout  # once in the life of a database

    try:
        with FileLock(path.with_name(f"{path.name}.lock"), timeout=_BUSY_TIMEOUT_S):
            _migrate(connection, path)
    except Timeout as cause:
        raise _locked(path) from cause


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for number, file in enumerate(migrations(), start=1):
            if number > _version(connection, path):
                for statement in _statements(file.read_text(encoding="utf-8")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")


def _statements(script: str) -> Iterator[str]:
    """The script's statements one by one, because `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


_STORAGE_CODES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT}
_LOCKED_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_INPUT_CODES = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as cause:
        error = _ours(path, getattr(cause, "sqlite_errorcode", 0) & 0xFF, str(cause))  # the low byte, less its variants
        if error is None:
            raise
        raise error from cause
    except (PermissionError, NotADirectoryError, FileExistsError) as cause:
        raise InputError(
            f"{path} cannot be opened: {cause.strerror}", hint="set EDGEKIT_DATA_DIR to a folder that you may write to"
        ) from cause


def _ours(path: Path, code: int, text: str) -> EdgekitError | None:
    if code in _STORAGE_CODES or (code == sqlite3.SQLITE_CANTOPEN and _is_read_only(path.parent)):
        return StorageError(f"{path}: {text}", hint="free some space, or set EDGEKIT_DATA_DIR to another folder")
    if code in _LOCKED_CODES:
        return _locked(path)
    if code in _INPUT_CODES:
        return InputError(f"{path} cannot be used: {text}", hint="move it away, or set EDGEKIT_DATA_DIR elsewhere")
    return None


def _is_read_only(folder: Path) -> bool:
    """SQLite says only that it cannot open the files that it wants beside the database."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _locked(path: Path) -> LockedError:
    return LockedError(
        f"{path} has been locked by another process for {_BUSY_TIMEOUT_S:.0f} s", hint="wait for it, then try again"
    )
