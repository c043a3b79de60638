"""What edgekit once wrote with schema 1 can still be read: a database of runs, a run document and a bundle.

The recorded files never change; a new schema gets a folder and a test of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core.measurement import Measurement, Memory, Plan, ProcessRun, Provenance, Validity
from edgekit.report import build_page, html, markdown
from edgekit.store.results import ResultStore, RunStatus

RECORDED = Path(__file__).parent / "schema_1"
DATABASE_SHA256 = "6f9c36e8d4aaafeb97bfba2f4ca7dcec19eaaec1978a0a0a63ab305abdbff81c"
BUNDLE_SHA256 = "7d50922f45440e169cd5c27cc6226f8cdbadbbe5ef4319f43486bf8e1b5866b5"
DOCUMENT_SHA256 = "f9fe76d5898fe378b66869dfff9fda032c298c4dfbe2976ae714b9abcef7aae7"


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """A copy, because SQLite writes beside what it reads."""
    return ResultStore(Path(shutil.copy(RECORDED / "results.sqlite3", tmp_path)))


@pytest.mark.parametrize(
    ("name", "digest"),
    [("results.sqlite3", DATABASE_SHA256), ("run.json", DOCUMENT_SHA256), ("model.edgekit", BUNDLE_SHA256)],
)
def test_recorded_file_is_the_one_that_was_recorded(name: str, digest: str):
    assert hashlib.sha256((RECORDED / name).read_bytes()).hexdigest() == digest


def test_runs_of_schema_1_are_read(store: ResultStore):
    failed, complete = store.latest(10)

    assert (failed.status, complete.status) == (RunStatus.FAILED, RunStatus.COMPLETE)
    assert failed.document["error"]["code"] == "E_NETWORK"
    assert (complete.device, complete.target) == ("bench-1", "rpi5")
    assert complete.model_digest == "1" * 64
    assert complete.command == "edgekit deploy model.keras"
    assert [run.run_id for run in store.find(device="bench-1")] == [complete.run_id]


def test_measurement_of_schema_1_is_read_exactly(store: ResultStore):
    complete = store.find(device="bench-1")[0]

    assert store.measurement(complete.run_id) == Measurement(
        device="bench-1",
        artifact_digest="2" * 64,
        plan=Plan(runtime="litert", threads=2, processes=2, warmup=2, samples=3, min_seconds=0.25, seed=7),
        runs=(
            ProcessRun(import_ns=9, load_ns=8, first_ns=7, warmup_ns=(6, 5), samples_ns=(1, 2, 2**62)),
            ProcessRun(import_ns=1, load_ns=2, first_ns=3, warmup_ns=(), samples_ns=(4, 5, 6)),
        ),
        memory=Memory(baseline_rss_bytes=10_000_000, peak_rss_bytes=12_500_000),
        memory_reason=None,
        provenance=Provenance.MEASURED,
        validity=(Validity.NOISY,),
        environment={"kernel": "6.1 ü", "before": {"temp_c": 51.3}, "cores": [0, 1]},
    )


def test_database_of_schema_1_takes_new_runs(store: ResultStore):
    run_id = store.record({"target": "new"})

    assert [run.target for run in store.latest(3)] == ["new", None, "rpi5"]
    assert store.run(run_id).target == "new"


def test_run_document_of_schema_1_is_drawn():
    document = json.loads((RECORDED / "run.json").read_text(encoding="utf-8"))

    page = build_page(document)

    values = [row.value for row in page.headline]
    assert values == ["52.7 KiB", "91.70 % of 1,000", "91.10 % of 1,000", "3.23 ms", "56.0 MiB"]
    assert page.title in html.render(page)
    assert page.title in markdown.render(page)


def test_bundle_of_schema_1_is_read_and_written_to_the_same_bytes(tmp_path: Path):
    recorded = Bundle.open(RECORDED / "model.edgekit")
    files = {name: recorded.read(name) for name in recorded.manifest.files}

    again = write_bundle(tmp_path / "again.edgekit", recorded.manifest, files)

    assert recorded.digest == "2269add0c6fd5bf515819e47aa448133843dd604329776e446cef393055ccbec"
    assert files["model.tflite"] == b"the model" * 100
    assert again.path.read_bytes() == recorded.path.read_bytes()
