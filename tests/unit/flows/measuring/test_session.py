"""The session on a device of numbers: which requests it makes, what it measures again, and when it has enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import DeviceError, InputError, MeasurementError
from edgekit.core.measurement import Plan, Validity
from edgekit.device.replies import ChildFacts
from edgekit.flows.measuring.checks import outputs_each_sha256
from edgekit.flows.profile import measure
from tests.fakes.measuring_device import MeasuringDevice, busy
from tests.unit.flows.measuring.conftest import A

BOARD = DeviceEntry(name="board", url="ssh://board")
PLAN = Plan(
    runtime="", mode="default", processes=4, warmup=2, samples=20, min_seconds=0.1, sentinel=True, steady_cap_s=5.0,
    batch_ns=1_000_000, stages=True,
)  # fmt: skip


@pytest.fixture
def take(tools, subject):
    """Measures one subject by a plan."""
    return lambda device, plan=PLAN, entry=BOARD: measure(device, entry, subject(), plan=plan, data=None, tools=tools)


def test_quiet_board_gives_a_number_without_a_doubt_but_for_its_random_inputs(take):
    found = take(MeasuringDevice())

    assert found.validity == (Validity.SYNTHETIC,)
    assert len(found.runs) == 4
    assert found.memory is not None
    assert found.memory.peak_rss_bytes == 201, "the median of 200, 201 and 202"
    assert found.environment["before"]["runtime"] == {"versions": {"litert": "2.3.0"}}


def test_each_process_is_a_request_that_holds_the_device_and_the_last_one_lets_go(take):
    device = MeasuringDevice()

    take(device)

    requests = [request for _, request, _ in device.requests]
    assert [request.processes for request in requests] == [1, 1, 1, 1, 0]
    assert [request.hold for request in requests] == [True, True, True, True, False]
    assert [request.memory for request in requests] == [0, 0, 0, 0, 3]
    assert not device.is_held


def test_cold_and_warm_loads_take_turns_and_the_sentinel_keeps_its_amount_of_work(take):
    device = MeasuringDevice()

    take(device)

    requests = [request for _, request, _ in device.requests[:-1]]
    assert [request.cold for request in requests] == [True, False, True, False]
    assert [request.sentinel_rounds for request in requests] == [0, 77, 77, 77]


def test_processes_are_pinned_to_all_cores_but_the_first_and_the_plan_says_so(take):
    device = MeasuringDevice()

    found = take(device)

    assert {request.affinity for _, request, _ in device.requests} == {(1, 2, 3)}
    assert found.plan.affinity == (1, 2, 3)


def test_threads_that_need_every_core_are_not_pinned(take):
    assert take(MeasuringDevice(), replace(PLAN, threads=4)).plan.affinity == ()


def test_brief_plan_is_one_request_without_a_look_at_the_machine(take, waits):
    device = MeasuringDevice()

    found = take(device, Plan(runtime="", processes=3, samples=20))

    ((_, request, _),) = device.requests
    assert (request.processes, request.memory, request.hold) == (3, 1, False)
    assert waits == []
    assert found.environment["preflight"] == []
    assert found.plan.affinity == ()


def test_processes_are_added_until_the_interval_is_narrow(take):
    device = MeasuringDevice(spread=(1.0, 1.02, 1.0, 1.02, *[1.01] * 30))

    found = take(device, replace(PLAN, most_processes=40, half_width=0.006))

    assert 4 < len(found.runs) < 40
    assert Validity.NOISY not in found.validity


def test_processes_are_not_added_beyond_the_most_and_a_spread_above_3_percent_is_noisy(take):
    found = take(MeasuringDevice(spread=(1.0, 1.1)), replace(PLAN, most_processes=8))

    assert len(found.runs) == 8
    assert Validity.NOISY in found.validity


def test_hopeless_spread_is_not_chased_to_the_end(take):
    found = take(MeasuringDevice(spread=(1.0, 1.5)), replace(PLAN, most_processes=40))

    assert len(found.runs) == 20
    assert Validity.INVALID in found.validity


def test_disturbed_process_is_measured_again(take):
    found = take(MeasuringDevice(sentinels=[1.0, 1.3, 1.0]))

    assert len(found.runs) == 4
    assert found.environment["preflight"][1]["monotonic_ns"] < found.runs[0].before.monotonic_ns
    assert found.environment["discarded_processes"] == 1
    assert Validity.THROTTLED not in found.validity


def test_third_disturbance_stays_and_is_flagged(take):
    found = take(MeasuringDevice(sentinels=[1.0, 1.3, 1.3, 1.3]))

    assert found.environment["discarded_processes"] == 2
    assert Validity.THROTTLED in found.validity
    assert any("30% longer" in doubt.reason for doubt in found.doubts)


def test_warm_up_that_never_gets_steady_is_waited_for_only_once(take):
    device = MeasuringDevice(steady=False)

    found = take(device, replace(PLAN, steady_cap_s=30.0))

    assert [request.steady_cap_s for _, request, _ in device.requests[:-1]] == [30.0, 5.0, 5.0, 5.0]
    assert Validity.UNSTEADY in found.validity


def test_sustained_run_is_never_measured_again(take):
    found = take(MeasuringDevice(sentinels=[1.3]), replace(PLAN, processes=1, window_s=5.0))

    assert found.environment["discarded_processes"] == 0
    assert Validity.THROTTLED in found.validity


def test_hot_board_is_waited_for(take, waits):
    looks = {"n": 0}

    def cooling(conditions):
        looks["n"] += 1
        return replace(conditions, temperature_c=64.0 if looks["n"] <= 4 else 50.0)

    found = take(MeasuringDevice(state=cooling), replace(PLAN, wait_s=60.0))

    assert waits == [3.0, 3.0, 3.0]
    assert found.validity == (Validity.SYNTHETIC,)


def test_board_that_stays_hot_is_measured_with_a_doubt_when_the_wait_is_over(take, waits):
    found = take(MeasuringDevice(state=lambda one: replace(one, temperature_c=64.0)), replace(PLAN, wait_s=9.0))

    assert sum(waits) == 9.0
    assert any(doubt.reason == "it starts at 64 C, above 60 C" for doubt in found.doubts)


def test_busy_board_is_not_waited_for_and_never_valid(take, waits):
    found = take(MeasuringDevice(state=lambda one: busy(one, 0.3)), replace(PLAN, wait_s=60.0))

    assert waits == [3.0]
    assert Validity.NOISY in found.validity


def test_strict_plan_refuses_a_busy_board_before_anything_ran(take):
    device = MeasuringDevice(state=lambda one: busy(one, 0.3))

    with pytest.raises(MeasurementError, match="not fit to be measured: other work takes 30% of the cores"):
        take(device, replace(PLAN, strict=True))

    assert device.requests == []


def test_process_that_crashes_is_an_error_and_the_device_is_let_go(take):
    device = MeasuringDevice(ending={2: ChildFacts(exit="oom", signal=9, message="killed", max_rss_bytes=None)})

    with pytest.raises(MeasurementError, match="process 3 ended by oom: killed"):
        take(device)

    assert not device.is_held


def test_refused_request_is_told_as_it_is(take):
    with pytest.raises(InputError, match="core 9"):
        take(MeasuringDevice(error=InputError("core 9 is not there", hint="take another")))


def test_own_inputs_give_each_process_another_sample_and_no_common_digest(take):
    device = MeasuringDevice()

    take(device, replace(PLAN, own_input=True))

    timed = [(inputs, request) for _, request, inputs in device.requests if request.processes]
    assert len({inputs[0].blob for inputs, _ in timed}) == 4
    assert all(inputs[0].shape[0] == 1 for inputs, _ in timed)
    assert not any(request.outputs for _, request in timed)


def test_emulated_device_is_never_valid(take):
    entry = replace(BOARD, emulator="qemu_user")

    assert Validity.EMULATED in take(MeasuringDevice(), entry=entry).validity


def test_measurement_names_its_artifact_and_runtime(take):
    found = take(MeasuringDevice())

    assert (found.artifact_digest, found.plan.runtime, found.environment["agent"]) == (A, "fake", "f" * 64)


ANSWERS = np.arange(16, dtype=np.float32).reshape(8, 2)
REAL = Dataset(name="real", inputs=(np.random.default_rng(0).random((40, 4), dtype=np.float32),), labels=None)


@pytest.fixture
def take_real(tools, subject):
    """Measures one subject with real inputs."""
    return lambda device, plan=PLAN, entry=BOARD: measure(device, entry, subject(), plan=plan, data=REAL, tools=tools)


def test_accuracy_run_with_the_same_outputs_is_told_and_raises_nothing(take_real):
    device = MeasuringDevice(outputs=outputs_each_sha256([ANSWERS], 8), answers=ANSWERS)

    found = take_real(device)

    assert found.validity == (Validity.VALID,)
    assert found.environment["accuracy_run"]["inputs"] == 8
    assert found.environment["accuracy_run"]["first_difference"] is None


def test_accuracy_run_with_another_output_is_flagged_with_the_first_input_that_differs(take_real):
    other = ANSWERS.copy()
    other[5:, 1] += 1
    device = MeasuringDevice(outputs=outputs_each_sha256([ANSWERS], 8), answers=other)

    found = take_real(device)

    assert found.validity == (Validity.NONDETERMINISTIC,)
    assert "first for input 5 of 8" in found.doubts[0].reason


def test_accuracy_run_that_fails_leaves_the_times_and_says_so(take_real):
    device = MeasuringDevice(outputs=("a" * 64,) * 8, answers=DeviceError("it crashed", hint="look at it"))

    found = take_real(device)

    assert found.validity == (Validity.VALID,)
    assert "it crashed" in found.environment["accuracy_run"]["reason"]


def test_agent_of_old_tells_no_outputs_one_by_one_and_none_are_compared(take_real):
    assert "accuracy_run" not in take_real(MeasuringDevice()).environment


def test_one_input_that_is_much_faster_is_told_with_the_figure(take):
    found = take(MeasuringDevice(once=0.8), replace(PLAN, processes=7))

    assert found.validity == (Validity.NOISY, Validity.SYNTHETIC)
    assert any(doubt.reason == "one input again and again is 20% faster than different ones in turn"
               for doubt in found.doubts)  # fmt: skip
    assert len(found.runs) == 7
    assert len(found.environment["one_input"]["samples_ns"]) == 3


@pytest.mark.parametrize("once", [0.92, 1.0, 1.3])
def test_one_input_that_is_not_much_faster_raises_nothing(take, once):
    found = take(MeasuringDevice(once=once), replace(PLAN, processes=7))

    assert found.validity == (Validity.SYNTHETIC,)
    assert found.environment["one_input"]["faster"] == pytest.approx(1 - once)


@pytest.mark.parametrize(
    ("device", "plan", "entry"),
    [
        ({}, {"mode": "quick"}, BOARD),
        ({}, {"processes": 4}, BOARD),
        ({"spread": (1.0, 1.3)}, {}, BOARD),
        ({}, {}, replace(BOARD, emulator="qemu_user")),
    ],
)
def test_one_input_is_not_timed_where_it_would_tell_nothing(take, device, plan, entry):
    found = take(MeasuringDevice(once=0.5, **device), replace(PLAN, **{"processes": 8} | plan), entry)

    assert "one_input" not in found.environment
    assert not any("one input" in doubt.reason for doubt in found.doubts)


def test_machine_that_got_faster_itself_is_not_blamed_on_the_input(take):
    found = take(MeasuringDevice(once=0.8, sentinels=[1.0] * 7 + [0.8] * 3), replace(PLAN, processes=7))

    assert not found.environment["one_input"]["is_clear"]
    assert found.validity == (Validity.SYNTHETIC,)


def test_nearly_full_disk_is_a_doubt_before_the_start(take):
    assert Validity.NOISY in take(MeasuringDevice(free_bytes=2**20)).validity
