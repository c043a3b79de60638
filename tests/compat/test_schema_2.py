"""What edgekit once wrote with schema 2 can still be read: every fact of a measurement by edgekit-bench/1.

The recorded file never changes; a new schema gets a folder and a test of its own.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

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
from edgekit.store.results import ResultStore

RECORDED = Path(__file__).parent / "schema_2" / "results.sqlite3"
DATABASE_SHA256 = "6ae21e7060b86ff66524e0b236af026cda905c566f11500605f030b36864ce9a"

BEFORE = Conditions(
    monotonic_ns=10_000_000_000,
    realtime_ns=1_795_000_000_000_000_000,
    busy_ticks=120,
    all_ticks=4000,
    swapped_pages=0,
    available_bytes=3_000_000_000,
    load=0.25,
    temperature_c=51.25,
    frequency_khz={"1": 1_500_000, "2": 1_500_000},
    throttled=0x50000,
)
AFTER = Conditions(monotonic_ns=12_000_000_000, realtime_ns=1_795_000_002_000_000_001)
MEMORIES = tuple(
    Memory(
        baseline_rss_bytes=40_000_000,
        peak_rss_bytes=peak,
        pss_bytes=30_000_000,
        private_bytes=20_000_000,
        swap_bytes=0,
        arena_bytes=12_345,
        file_bytes=6_752,
    )
    for peak in (48_000_000, 48_500_000, 49_000_000)
)
MEASUREMENT = Measurement(
    device="bench-1",
    artifact_digest="2" * 64,
    plan=Plan(
        runtime="litert", threads=2, processes=2, warmup=2, samples=3, min_seconds=0.25, seed=7, mode="gate",
        most_processes=40, half_width=0.02, steady_cap_s=30.0, sentinel=True, affinity=(1, 2), stages=True,
        operators=True, instructions=True, window_s=5.0, batch_ns=1_000_000, own_input=True, wait_s=60.0, strict=True,
    ),
    runs=(
        ProcessRun(
            import_ns=9, load_ns=8, first_ns=7, warmup_ns=(6, 5), samples_ns=(1, 2, 2**62), cold=True, steady=False,
            batch=20, timer_ns=55, sentinel_ns=(50_000_000, 51_000_000), sentinel_rounds=17, switches=3, before=BEFORE,
            after=AFTER, stages_ns={"quantize": (900, 901), "dequantize": (400,)}, outputs_sha256="5" * 64,
            windows=(Window(samples=2, conditions=BEFORE), Window(samples=1, conditions=AFTER)),
        ),
        ProcessRun(import_ns=1, load_ns=2, first_ns=3, warmup_ns=(), samples_ns=(4, 5, 6)),
    ),
    memory=MEMORIES[1],
    memory_reason=None,
    provenance=Provenance.EMULATED,
    validity=(Validity.THROTTLED, Validity.EMULATED),
    environment={"kernel": "6.1 ü", "before": {"temp_c": 51.3}, "cores": [0, 1]},
    doubts=(Doubt(flag=Validity.THROTTLED, reason="the firmware says so: under-voltage"),),
    memories=MEMORIES,
    operators=(
        OperatorRun(name="conv", op="CONV_2D", ns=(100, 110), instructions=9_000),
        OperatorRun(name="softmax", op="SOFTMAX"),
    ),
    operators_reason=None,
    instructions=InstructionCount(value=10_000, low=9_990, high=10_050, calls=20, exact=False, source="perf"),
    instructions_reason=None,
)  # fmt: skip
BARE = Measurement(
    device="bench-2", artifact_digest="3" * 64, plan=Plan(runtime="litert"), runs=MEASUREMENT.runs[1:], memory=None,
    memory_reason="no /proc there", provenance=Provenance.MEASURED, validity=(Validity.NOISY,), environment={},
    operators_reason="it was not asked for", instructions_reason="this kernel does not let us count",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    """A copy, because SQLite writes beside what it reads."""
    return ResultStore(Path(shutil.copy(RECORDED, tmp_path)))


def test_recorded_file_is_the_one_that_was_recorded() -> None:
    assert hashlib.sha256(RECORDED.read_bytes()).hexdigest() == DATABASE_SHA256


@pytest.mark.parametrize("measurement", [MEASUREMENT, BARE], ids=["full", "bare"])
def test_measurement_of_schema_2_is_read_exactly(store: ResultStore, measurement: Measurement) -> None:
    (run,) = store.find(device=measurement.device)

    assert store.measurement(run.run_id) == measurement


def test_database_of_schema_2_takes_new_runs(store: ResultStore) -> None:
    run_id = store.record({"target": "new"}, MEASUREMENT)

    assert [run.target for run in store.latest(3)] == ["new", "rpi5", "rpi5"]
    assert store.measurement(run_id) == MEASUREMENT
