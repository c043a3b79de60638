"""A session with the real agent of this computer, on a model that needs no library."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import MeasurementError
from edgekit.core.measurement import Plan, Validity
from edgekit.device.connect import connect
from edgekit.device.inventory import LOCAL
from edgekit.flows.measured_document import profile_document
from edgekit.flows.measuring.pair import measure_pair
from edgekit.flows.profile import measure

PLAN = Plan(
    runtime="", mode="quick", processes=4, warmup=3, samples=30, min_seconds=0.0, sentinel=True, stages=True,
    batch_ns=1_000_000,
)  # fmt: skip


@pytest.fixture
def device():
    with connect(LOCAL) as client:
        yield client


@pytest.fixture
def staged(device, subject):
    """Makes a subject that the device has; the text is its model."""

    def stage(**model):
        data = json.dumps(model).encode()
        device.stage(data)
        return subject(sha256_bytes(data))

    return stage


def test_measurement_has_everything_that_the_plan_asks_for(device, staged, tools):
    found = measure(device, LOCAL, staged(scale=2.0), plan=PLAN, data=None, tools=tools)

    assert len(found.runs) == 4
    for run in found.runs:
        assert run.sentinel_ns is not None
        assert run.before is not None
        assert run.after is not None
        assert run.before.monotonic_ns < run.after.monotonic_ns
        assert len(run.samples_ns) >= 30
        assert run.batch > 1, "a call takes microseconds"
    assert len({run.outputs_sha256 for run in found.runs}) == 1
    assert len({run.sentinel_rounds for run in found.runs}) == 1
    assert len(found.memories) == 3
    assert Validity.VALID not in found.validity
    assert json.loads(json.dumps(profile_document(found)))["environment"]["before"]["runtime"]["versions"]


def test_accuracy_run_gives_bit_for_bit_what_the_timed_processes_gave(device, staged, tools):
    real = Dataset(name="real", inputs=(np.random.default_rng(0).random((40, 4), dtype=np.float32),))

    found = measure(device, LOCAL, staged(scale=2.0), plan=replace(PLAN, processes=2), data=real, tools=tools)

    checked = found.environment["accuracy_run"]
    assert (checked["inputs"], checked["first_difference"]) == (8, None)
    assert len(set(checked["outputs_sha256"])) == 8
    assert Validity.NONDETERMINISTIC not in found.validity


def test_pair_measures_both_in_turn_and_lets_go_of_the_device(device, staged, tools):
    found = measure_pair(
        device, LOCAL, staged(scale=2.0), staged(scale=3.0), plan=replace(PLAN, processes=2, sentinel=False),
        data=None, floor=None, tools=tools,
    )  # fmt: skip

    assert (len(found.first.runs), len(found.second.runs)) == (2, 2)
    assert found.first.artifact_digest != found.second.artifact_digest
    assert found.first.runs[0].outputs_sha256 != found.second.runs[0].outputs_sha256
    assert device.status().locked_by is None


def test_model_that_crashes_does_not_leave_the_device_locked(device, staged, tools):
    with pytest.raises(MeasurementError, match="process 1 ended by signal"):
        measure(device, LOCAL, staged(run="crash"), plan=PLAN, data=None, tools=tools)

    assert device.status().locked_by is None
