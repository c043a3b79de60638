"""Where studies are kept: Optuna's tables in SQLite or PostgreSQL, and their errors in our words."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit.core.errors import EdgekitError, InputError, LockedError, NetworkError, StorageError, UnsupportedError

_SQLITE_WAIT_S = 60.0
"""How long a writer waits for another process's write; each takes milliseconds."""


def load_optuna() -> Any:
    """The library, silent.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import optuna
    except ImportError as cause:
        raise UnsupportedError("Optuna is not installed", hint="pip install 'edgekit-deploy[search]'") from cause
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("optuna").propagate = False
    return optuna


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's remarks on what is experimental: our tests hold the version that we take."""
    optuna = load_optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="optuna")
        yield


def open_storage(url: str) -> Any:
    """Optuna's storage at a URL; its tables are made where there are none.

    Raises:
        InputError: the tables are of another version of Optuna.
        StorageError: the disk is full, or the file is no database.
        NetworkError: the server does not answer.
        UnsupportedError: a library is missing.
    """
    optuna = load_optuna()
    waits = {"timeout": _SQLITE_WAIT_S} if url.startswith("sqlite") else {"connect_timeout": 10}
    with translated(url), quiet():
        storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": waits, "pool_pre_ping": True})
        if url.startswith("sqlite"):
            _serialize(storage.engine)
        return storage


def _serialize(engine: Any) -> None:
    """Have SQLite carry out one transaction after the other, and write ahead.

    Optuna compares a trial's state and sets it in one transaction, but Python's sqlite3 begins one only with the first
    write: two workers would both read that a trial waits, and both run it. So each begins with the lock in its hands
    (docs.sqlalchemy.org, "Serializable isolation / Savepoints / Transactional DDL" of pysqlite).

    With a log that is written ahead and not waited for, a trial costs 0.04 s instead of 0.3 s on a slow disk. What is
    committed survives the death of any process; a power cut may take the last commits, and leaves the file whole
    (sqlite.org/pragma.html#pragma_synchronous).
    """
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def tune(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=NORMAL").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections from before the listeners


@contextmanager
def translated(url: str) -> Iterator[None]:
    """What a storage raises, in our words; the URL is named without its password."""
    optuna = load_optuna()
    from sqlalchemy import exc

    try:
        yield
    except (optuna.exceptions.StorageInternalError, exc.SQLAlchemyError) as error:
        raise _told(url, str(error.__cause__ or error)) from error
    except ModuleNotFoundError as missing:
        raise UnsupportedError(
            f"a library for {without_password(url)} is missing: {missing.name}",
            hint="pip install 'edgekit-deploy[postgres]'",
        ) from missing
    except RuntimeError as error:
        if "version" not in str(error):
            raise
        raise InputError(
            f"the study in {without_password(url)} was made by another version of Optuna: {error}",
            hint="go on with the version that made it, or begin a new study",
        ) from error


def is_missing_file(url: str) -> bool:
    """Whether a URL names an SQLite file that is not there."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file()


def without_password(url: str) -> str:
    """A URL for people."""
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)


def _told(url: str, said: str) -> EdgekitError:
    where, line = without_password(url), said.strip().partition("\n")[0][:300]
    low = said.lower()
    if "full" in low or "no space" in low or "disk i/o" in low:
        return StorageError(f"the disk under the study {where} is full: {line}", hint="free some space, then --resume")
    if "locked" in low:
        return LockedError(f"the study {where} is locked: {line}", hint="another process holds it; try again")
    if "not a database" in low or "malformed" in low or "readonly" in low or "unable to open" in low:
        return StorageError(f"the study {where} cannot be used: {line}", hint="is it a file that edgekit search made?")
    if url.startswith("sqlite"):
        return StorageError(f"the study {where} failed: {line}", hint="try again with --resume")
    return NetworkError(
        f"the database of the study does not answer ({where}): {line}", hint="is it up? then --resume goes on"
    )
