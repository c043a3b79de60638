"""Runs are kept for good, exactly as they were, by any number of writers, in a file that is ours."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import (
    ConfigurationError,
    EdgekitError,
    InputError,
    InternalError,
    LockedError,
    MeasurementError,
    StorageError,
)
from edgekit.core.measurement import Measurement
from edgekit.store import _database
from edgekit.store.results import ResultStore, RunStatus, default_path

DOCUMENT = {
    "schema": 1,
    "command": ["edgekit", "deploy", "my model.keras", "--device", "bench-1"],
    "target": "rpi5",
    "source": {"sha256": "1" * 64},
    "artifact": {"sha256": "2" * 64, "size_bytes": 900},
    "bundle": {"sha256": "3" * 64},
    "deployment": {"device": "bench-1", "bytes_sent": 0},
    "profile": None,
}


def test_run_keeps_the_document_and_what_people_search_by(store: ResultStore):
    run_id = store.record(DOCUMENT)

    run = store.run(run_id)

    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{8}", run_id)
    assert run.run_id == run_id
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", run.created_utc)
    assert run.command == "edgekit deploy 'my model.keras' --device bench-1"
    assert (run.status, run.device, run.target) == (RunStatus.COMPLETE, "bench-1", "rpi5")
    assert (run.model_digest, run.artifact_digest, run.bundle_digest) == ("1" * 64, "2" * 64, "3" * 64)
    assert run.document == DOCUMENT
    assert not run.has_measurement


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, RunStatus.COMPLETE),
        ({"error": None}, RunStatus.COMPLETE),
        ({"error": {"code": "E_NETWORK", "message": "gone"}}, RunStatus.FAILED),
        ({"status": "incomplete", "error": {"code": "E_INTERRUPTED"}}, RunStatus.INCOMPLETE),
    ],
)
def test_failure_is_a_result(store: ResultStore, document, status):
    assert store.run(store.record(document)).status == status


def test_run_of_parts_that_are_missing_or_of_another_shape(store: ResultStore):
    document = {"target": {"name": "rpi5"}, "deployment": None, "artifact": [], "source": {"sha256": 5}, "command": 7}

    run = store.run(store.record(document))

    assert run.target == "rpi5"
    assert (run.command, run.device, run.artifact_digest, run.model_digest) == (None, None, None, None)


def test_run_of_one_measurement_is_found_by_device_and_artifact(store: ResultStore):
    run_id = store.record({"schema": "edgekit.evaluate/1", "device": "bench-1", "artifact_sha256": "2" * 64})

    assert [run.run_id for run in store.find(device="bench-1", artifact_digest="2" * 64)] == [run_id]


def test_text_that_utf8_cannot_carry_is_kept_in_the_document(store: ResultStore):
    document = {"deployment": {"device": "b\udcff"}, "note": "\udcff"}

    run = store.run(store.record(document))

    assert run.document == document
    assert run.device == "b\\udcff"


@pytest.mark.parametrize("value", [float("nan"), object(), Path("x")])
def test_record_refuses_what_is_not_json(store: ResultStore, value):
    with pytest.raises(InternalError, match="plain JSON"):
        store.record({"x": value})

    assert store.latest(10) == []


def test_run_that_does_not_exist_names_a_close_one(store: ResultStore):
    with pytest.raises(InputError, match="no run 'x'") as none_yet:
        store.run("x")
    run_id = store.record(DOCUMENT)
    with pytest.raises(InputError) as close:
        store.run(run_id[:-1] + "?")

    assert none_yet.value.hint == "there are no runs yet"
    assert close.value.hint == f"did you mean {run_id!r}?"


def test_latest_and_find_are_newest_first(store: ResultStore):
    ids = [store.record({"deployment": {"device": name}, "artifact": {"sha256": name * 2}}) for name in "aba"]

    assert [run.run_id for run in store.latest(2)] == [ids[2], ids[1]]
    assert [run.run_id for run in store.find(device="a")] == [ids[2], ids[0]]
    assert [run.run_id for run in store.find(artifact_digest="bb")] == [ids[1]]
    assert store.find(device="a", artifact_digest="bb") == []
    assert len(store.find()) == 3
    assert store.latest(0) == store.latest(-1) == []


@pytest.mark.parametrize("table", ["runs", "measurements", "process_runs"])
@pytest.mark.parametrize("sql", ["UPDATE {0} SET run_id = 'x'", "DELETE FROM {0}"])
def test_rows_cannot_be_changed_or_deleted(store: ResultStore, measurement: Measurement, table: str, sql: str):
    run_id = store.record(DOCUMENT, measurement)

    with closing(sqlite3.connect(store.path)) as connection, pytest.raises(sqlite3.IntegrityError, match="immutable"):
        connection.execute(sql.format(table))

    assert store.measurement(run_id) == measurement


def test_rows_cannot_be_replaced(store: ResultStore):
    run_id = store.record(DOCUMENT)
    sql = "INSERT OR REPLACE INTO runs (run_id, created_utc, status, document) VALUES (?, '', 'failed', '{}')"

    with (
        pytest.raises(sqlite3.IntegrityError, match="immutable"),
        _database.transaction(store.path, write=True) as connection,
    ):
        connection.execute(sql, (run_id,))

    assert store.run(run_id).document == DOCUMENT


def test_record_that_fails_leaves_no_part(store: ResultStore, measurement: Measurement):
    store.record({})
    beyond = replace(measurement.runs[0], import_ns=2**63)

    with pytest.raises(MeasurementError, match=str(2**63)):
        store.record({}, replace(measurement, runs=(measurement.runs[0], beyond)))

    assert len(store.latest(10)) == 1


def test_database_is_strict_and_in_wal(store: ResultStore):
    store.record({})

    with closing(sqlite3.connect(store.path)) as connection:
        tables = dict(connection.execute("SELECT name, strict FROM pragma_table_list WHERE name NOT LIKE 'sqlite%'"))
        assert tables == {"runs": 1, "measurements": 1, "process_runs": 1}
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(_database.migrations()),)


def test_newer_schema_is_refused_untouched(store: ResultStore):
    store.record({})
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = hashlib.sha256(store.path.read_bytes()).hexdigest()

    with pytest.raises(ConfigurationError, match="schema 99") as caught:
        store.record({})

    assert "upgrade edgekit" in (caught.value.hint or "")
    assert hashlib.sha256(store.path.read_bytes()).hexdigest() == before


def test_migrations_run_in_order_and_once(monkeypatch, store: ResultStore, tmp_path: Path):
    run_id = store.record({"n": 1})
    second = tmp_path / "0003_note.sql"
    second.write_text(
        "ALTER TABLE runs ADD COLUMN note TEXT; -- a comment\nCREATE INDEX runs_by_note ON runs (note);\n"
    )
    files = [*_database.migrations(), second]
    monkeypatch.setattr(_database, "migrations", lambda: files)

    with _database.transaction(store.path, write=False) as connection:
        row = connection.execute("SELECT run_id, note FROM runs").fetchone()
        assert (row["run_id"], row["note"]) == (run_id, None)
    with _database.transaction(store.path, write=False) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(files)


def test_migration_that_fails_leaves_the_old_schema(monkeypatch, store: ResultStore, tmp_path: Path):
    run_id = store.record({"n": 1})
    broken = tmp_path / "0003_broken.sql"
    broken.write_text("ALTER TABLE runs ADD COLUMN note TEXT;\nINSERT INTO nowhere VALUES (1);\n")
    files = _database.migrations()
    with monkeypatch.context() as patch:
        patch.setattr(_database, "migrations", lambda: [*files, broken])
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            store.latest(1)

    assert store.run(run_id).document == {"n": 1}


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to have a header" * 9, b"SQLite format 3\0" * 64]
)
def test_file_that_is_no_database_is_refused_untouched(store: ResultStore, content: bytes):
    store.path.parent.mkdir()
    store.path.write_bytes(content)

    with pytest.raises(EdgekitError) as caught:
        store.record({})

    assert isinstance(caught.value, InputError)
    assert str(store.path) in caught.value.message
    assert store.path.read_bytes() == content


def test_database_of_another_program_is_refused_untouched(store: ResultStore):
    store.path.parent.mkdir()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = store.path.read_bytes()

    with pytest.raises(InputError, match="another program"):
        store.record({})

    assert store.path.read_bytes() == before


def test_folder_in_place_of_the_file_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be used"):
        ResultStore(tmp_path).latest(1)


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match="cannot be opened"):
        ResultStore(tmp_path / "file" / "results.sqlite3").latest(1)


def test_damaged_database_is_a_storage_error(store: ResultStore):
    for _ in range(50):
        store.record(DOCUMENT)
    data = bytearray(store.path.read_bytes())
    data[4096 * 2 :] = b"\xff" * len(data[4096 * 2 :])
    store.path.write_bytes(data)

    with pytest.raises(StorageError, match="malformed"):
        store.latest(50)


def test_full_disk_is_a_storage_error_and_keeps_what_was_there(tiny_disk: Path):
    store = ResultStore(tiny_disk / "results.sqlite3")
    run_id = store.record({"n": 1})

    with pytest.raises(StorageError, match="full") as caught:
        store.record({"big": "x" * 10**6})

    assert "free some space" in (caught.value.hint or "")
    assert [run.run_id for run in store.latest(10)] == [run_id]


@pytest.mark.parametrize("used_before", [True, False])
def test_read_only_disk_is_a_storage_error(tiny_disk: Path, used_before: bool):
    store = ResultStore(tiny_disk / "data" / "results.sqlite3")
    if used_before:
        store.record({"n": 1})
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)

    with pytest.raises(StorageError, match=r"results\.sqlite3"):
        store.record({"n": 2})


def test_locked_database_says_so(monkeypatch, store: ResultStore):
    store.record({})
    monkeypatch.setattr(_database, "_BUSY_TIMEOUT_S", 0.05)

    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match="another process"):
            store.record({})
        assert len(store.latest(10)) == 1  # reading goes on


def _record_many(path: Path, writer: int) -> None:
    for number in range(25):
        ResultStore(path).record({"writer": writer, "number": number})


def test_processes_may_write_at_once_from_the_first_moment(store: ResultStore):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_record_many, args=(store.path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    seen = {(run.document["writer"], run.document["number"]) for run in store.latest(1000)}

    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(seen) == len(store.latest(1000)) == 75


def test_default_path_follows_the_environment(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("EDGEKIT_DATA_DIR", str(tmp_path))
    assert default_path() == tmp_path / "results.sqlite3"

    monkeypatch.setenv("EDGEKIT_DATA_DIR", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert default_path() == tmp_path / "xdg" / "edgekit" / "results.sqlite3"
