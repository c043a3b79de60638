"""A measurement comes back from the store exactly as it was recorded, every field of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from edgekit.core.errors import InputError
from edgekit.core.measurement import (
    Conditions,
    Doubt,
    Measurement,
    Memory,
    OperatorRun,
    Plan,
    ProcessRun,
    Window,
)
from edgekit.store.results import ResultStore


def test_measurement_comes_back_exactly(store: ResultStore, measurement: Measurement):
    run_id = store.record({}, measurement)

    assert store.measurement(run_id) == measurement
    run = store.run(run_id)
    assert run.has_measurement
    assert (run.device, run.artifact_digest) == ("bench-1", "a" * 64)


def test_measurement_without_memory_keeps_the_reason(store: ResultStore, measurement: Measurement):
    bare = replace(measurement, memory=None, memory_reason="no /proc there", runs=(), validity=(), environment={})

    assert store.measurement(store.record({}, bare)) == bare


INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.lists(INT64, max_size=20).map(tuple)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


BY_TYPE = {float: FLOAT, float | None: st.none() | FLOAT}  # a clock or a sensor gives neither NaN nor infinity


def every(kind: type, **given: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Values of a dataclass with no field left at its default: as given, else whatever the field's type allows."""
    return st.builds(kind, **{name: BY_TYPE.get(hint, ...) for name, hint in get_type_hints(kind).items()} | given)


def some(kind: type, **given: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(every(kind, **given), max_size=2).map(tuple)


CONDITIONS = every(Conditions, frequency_khz=st.dictionaries(st.text(max_size=2), st.integers(), max_size=2))
TIME = {"import_ns": INT64, "load_ns": INT64, "first_ns": INT64, "warmup_ns": TIMES, "samples_ns": TIMES}
RUNS = some(
    ProcessRun,
    **TIME,
    before=st.none() | CONDITIONS,
    after=st.none() | CONDITIONS,
    stages_ns=st.dictionaries(st.text(max_size=5), TIMES, max_size=2),
    windows=some(Window, conditions=CONDITIONS),
)
MEASUREMENTS = every(
    Measurement,
    device=TEXT,
    artifact_digest=TEXT,
    plan=every(Plan),
    runs=RUNS,
    environment=st.dictionaries(st.text(max_size=5), JSON, max_size=4),
    doubts=some(Doubt),
    memories=some(Memory),
    operators=some(OperatorRun),
)


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],  # a failure would shrink for minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(measurement=MEASUREMENTS, document=st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_any_run_comes_back_exactly(store: ResultStore, measurement: Measurement, document: dict[str, object]):
    run_id = store.record({"run": document}, measurement)

    assert store.measurement(run_id) == measurement
    assert store.run(run_id).document == {"run": document}


def test_samples_are_int64_little_endian(store: ResultStore, measurement: Measurement):
    store.record({}, measurement)

    with closing(sqlite3.connect(store.path)) as connection:
        blob = connection.execute("SELECT samples_ns FROM process_runs WHERE position = 0").fetchone()[0]

    assert blob == b"\1" + bytes(7) + b"\2" + bytes(7) + bytes(7) + b"\x40"


def test_measurement_of_a_run_without_one(store: ResultStore):
    run_id = store.record({"status": "failed"})

    with pytest.raises(InputError, match=r"\(failed\) holds no measurement"):
        store.measurement(run_id)
    with pytest.raises(InputError, match="no run"):
        store.measurement("nothing")
