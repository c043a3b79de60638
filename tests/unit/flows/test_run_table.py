"""Stored runs as a table: a row a figure, a row a raw sample, in CSV and in Parquet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import InputError, StorageError, UnsupportedError, UsageError
from edgekit.core.measurement import InstructionCount, OperatorRun
from edgekit.flows.measured_document import profile_document
from edgekit.flows.run_table import COLUMNS, export_runs
from edgekit.store import tables
from edgekit.store.results import ResultStore, default_path
from edgekit.store.tables import write_table
from tests.models.command import edgekit
from tests.models.measurements import measurement

EVALUATION = {
    "schema": "edgekit.evaluate/1",
    "device": "bench-2",
    "artifact_sha256": "b" * 64,
    "accuracy": {"value": 0.95, "correct": 95, "n": 100, "ci95": [0.89, 0.98]},
    "provenance": "measured",
}


@pytest.fixture
def profile_id() -> str:
    """A stored profile of bench-1, an evaluation of bench-2, and a run that failed."""
    found = measurement(
        [4.9, 5.0, 5.1],
        samples=3,
        operators=(OperatorRun(name="dense", op="FULLY_CONNECTED", ns=(3, 4, 5)),),
        instructions=InstructionCount(value=7, low=6, high=9, calls=20, exact=False, source="perf"),
    )
    store = ResultStore(default_path())
    run_id = store.record(profile_document(found) | {"model": 'n=1,\n"é"', "target": "rpi4"}, found)
    store.record(EVALUATION)
    store.record({"status": "failed", "error": {"code": "E_NETWORK"}, "command": "edgekit deploy"})
    return run_id


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_a_run_and_figure(profile_id: str, tmp_path: Path) -> None:
    document = export_runs(tmp_path / "runs.csv", run_id=None, device=None, raw_samples=False)

    rows = read(tmp_path / "runs.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert document == {
        "schema": "edgekit.export-runs/1", "path": str(tmp_path / "runs.csv"), "runs": 3, "rows": len(rows),
    }  # fmt: skip
    by_figure = {(row["figure"], row["part"]): row for row in rows if row["run_id"] == profile_id}
    steady = by_figure["phase", "steady"]
    assert (float(steady["value"]), steady["unit"], steady["n"]) == (5e6, "ns", "3")
    assert float(steady["low"]) < 5e6 < float(steady["high"])
    assert steady["model"] == 'n=1,\n"é"'
    assert by_figure["latency_p99", ""]["value"] == ""
    assert by_figure["latency_p99", ""]["reason"] == "needs 662 samples, there are 9"
    assert float(by_figure["operator", "dense"]["value"]) == 4
    assert by_figure["instructions", ""]["high"] == "9"
    (accuracy,) = (row for row in rows if row["figure"] == "accuracy")
    assert (accuracy["device"], accuracy["value"], accuracy["low"]) == ("bench-2", "0.95", "0.89")
    (failed,) = (row for row in rows if row["status"] == "failed")
    assert failed["figure"] == failed["value"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_quoted(name: str, tmp_path: Path) -> None:
    tables.write_table(tmp_path / "one.csv", {"device": str, "value": float}, [{"device": name, "value": -1.5}])

    assert read(tmp_path / "one.csv") == [{"device": f"'{name}", "value": "-1.5"}]


def test_raw_samples_are_rows_with_process_and_position(profile_id: str, tmp_path: Path) -> None:
    export_runs(tmp_path / "one.csv", run_id=profile_id[:-3], device=None, raw_samples=True)

    rows = [row for row in read(tmp_path / "one.csv") if row["process"]]
    samples = [row for row in rows if row["figure"] == "sample"]
    assert [(row["process"], row["position"], row["value"]) for row in samples[2:4]] == [
        ("0", "2", "4949000"),
        ("1", "0", "4950000"),
    ]
    assert len(samples) == 9
    assert sum(row["figure"] == "warmup_sample" for row in rows) == 3


def test_parquet_holds_the_same_values_with_their_types(profile_id: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'edgekit-deploy[export]'")

    for name in ("runs.csv", "runs.parquet"):
        export_runs(tmp_path / name, run_id=None, device=None, raw_samples=True)

    table = parquet.read_table(tmp_path / "runs.parquet")
    assert [str(field.type) for field in table.schema][-8:] == [
        "string", "double", "double", "double", "int64", "string", "int64", "int64",
    ]  # fmt: skip
    as_text = [{name: "" if value is None else value for name, value in row.items()} for row in table.to_pylist()]
    assert len(as_text) == len(read(tmp_path / "runs.csv"))
    for row, text in zip(as_text, read(tmp_path / "runs.csv"), strict=True):
        assert {name: _typed(name, value) for name, value in text.items()} == row


def _typed(name: str, text: str) -> Any:
    return COLUMNS[name](text) if text else ""


def test_many_rows_are_written_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'edgekit-deploy[export]'")
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 4)

    count = write_table(tmp_path / "t.parquet", {"n": int, "name": str}, ({"n": n} for n in range(10)))

    table = parquet.read_table(tmp_path / "t.parquet")
    assert count == 10
    assert table.column("n").to_pylist() == list(range(10))
    assert table.column("name").null_count == 10


def test_text_that_utf8_cannot_carry_is_spelt_out(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pip install 'edgekit-deploy[export]'")
    from pyarrow import parquet

    for name in ("t.csv", "t.parquet"):
        write_table(tmp_path / name, {"name": str}, [{"name": "b\udcff"}])

    assert read(tmp_path / "t.csv") == [{"name": "b\\udcff"}]
    assert parquet.read_table(tmp_path / "t.parquet").column("name").to_pylist() == ["b\\udcff"]


def test_device_chooses_its_runs_and_a_file_is_replaced_whole(profile_id: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("old")

    def break_off() -> Any:
        yield {"name": "first"}
        raise StorageError("the disk fails")

    with pytest.raises(StorageError):
        write_table(path, {"name": str}, break_off())
    assert path.read_text() == "old"

    export_runs(path, run_id=None, device="bench-2", raw_samples=True)
    assert {row["device"] for row in read(path)} == {"bench-2"}
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_exported_is_said(profile_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no runs"):
        export_runs(tmp_path / "x.csv", run_id=None, device="nobody", raw_samples=False)
    with pytest.raises(UsageError, match=r"neither \.csv nor \.parquet"):
        export_runs(tmp_path / "x.xlsx", run_id=None, device=None, raw_samples=False)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UnsupportedError, match="pyarrow") as caught:
        export_runs(tmp_path / "x.parquet", run_id=None, device=None, raw_samples=False)

    assert "edgekit-deploy[export]" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_command_exports_and_refuses_flags_that_would_do_nothing(profile_id: str, tmp_path: Path) -> None:
    document = edgekit("report", "--export", "all.csv", "--raw-samples", cwd=tmp_path)

    assert document["rows"] == len(read(tmp_path / "all.csv"))
    edgekit("report", "--raw-samples", cwd=tmp_path, fails=2)
    edgekit("report", "--device", "bench-1", cwd=tmp_path, fails=2)
