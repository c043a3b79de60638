"""The parameters of measure, and what of an answer they take."""

from __future__ import annotations

import os
from typing import Any

import pytest

from device_agents.linux import measure_plan, protocol
from device_agents.linux.errors import AgentError

LEAST = {"processes": 1, "warmup": 10, "samples": 100, "min_seconds": 1.0}


def test_request_of_an_old_host_asks_for_nothing_new() -> None:
    plan = measure_plan.read(LEAST)

    assert (plan.processes, plan.memory, plan.affinity) == (1, 1, None)
    assert plan.for_child["max_samples"] == protocol.MAX_TIMES - 10
    asked = {key for key, value in plan.for_child.items() if value}
    assert asked == {"warmup", "max_warmup", "samples", "max_samples", "min_seconds", "conditions"}
    assert plan.for_child["sentinel_rounds"] is None


def test_null_is_as_good_as_missing() -> None:
    optional = ("memory", "steady_cap_s", "batch_ns", "sentinel_rounds", "affinity", "window_s")

    assert measure_plan.read({**LEAST, **dict.fromkeys(optional)}) == measure_plan.read(LEAST)


@pytest.mark.parametrize(
    "params",
    [
        {"memory": -1},
        {"memory": 101},
        {"memory": True},
        {"steady_cap_s": -1},
        {"steady_cap_s": "30"},
        {"batch_ns": 0},
        {"batch_ns": 1.5},
        {"sentinel_rounds": -1},
        {"cold": 1},
        {"stages": "yes"},
        {"outputs": 0},
        {"window_s": 0.05},
        {"affinity": []},
        {"affinity": 0},
        {"affinity": [0.0]},
        {"affinity": [True]},
        {"processes": 1001},
        {"samples": 80_000},
        {"min_seconds": 3600, "window_s": 1},
    ],
    ids=str,
)
def test_parameter_out_of_range_breaks_the_protocol(params: dict[str, Any]) -> None:
    with pytest.raises(AgentError) as refused:
        measure_plan.read({**LEAST, **params})

    assert refused.value.code == "E_PROTOCOL"


def test_core_that_is_not_there_is_wrong_input() -> None:
    with pytest.raises(AgentError, match="core 99999") as refused:
        measure_plan.read({**LEAST, "affinity": [0, 99_999]})

    assert refused.value.code == "E_INPUT"


def test_cores_are_sorted_and_named_once() -> None:
    core = min(os.sched_getaffinity(0))

    assert measure_plan.read({**LEAST, "affinity": [core, core]}).affinity == [core]


def test_times_windows_and_stages_share_the_room_of_a_process() -> None:
    plan = measure_plan.read({**LEAST, "processes": 10, "steady_cap_s": 30, "stages": True, "window_s": 0.5})

    child = plan.for_child
    assert (child["max_warmup"], child["stages"], child["max_windows"]) == (2_000, 1_000, 2)
    assert child["max_samples"] == 8_000 - 2_000 - 2 * 1_000 - 2 * 40


def test_longest_answer_fits_in_a_line() -> None:
    """Ten digits are ten seconds: no such call is made 80,000 times, so this is beyond what can come."""
    state = {"frequency_khz": {str(core): 2_400_000 for core in range(8)}, "throttled": 0x50005}
    state |= dict.fromkeys(("monotonic_ns", "realtime_ns", "cpu_ns", "busy_ticks", "all_ticks"), 2**62)
    plan = measure_plan.read({**LEAST, "min_seconds": 600, "window_s": 1, "stages": True, "steady_cap_s": 30}).for_child
    answer: dict[str, Any] = {
        "warmup_ns": [10**9 - 1] * plan["max_warmup"],
        "samples_ns": [10**9 - 1] * plan["max_samples"],
        "stages_ns": [10**9 - 1] * 2 * plan["stages"],
        "windows": [{"samples": 10, "conditions": state}] * (plan["max_windows"] + 1),
    }

    assert protocol.decode_message(protocol.encode_message(answer)) == answer


def test_sentinel_of_later_processes_does_the_work_that_the_first_one_found() -> None:
    plan = measure_plan.read({**LEAST, "processes": 2, "sentinel_rounds": 0})

    assert plan.for_process([])["sentinel_rounds"] == 0
    assert plan.for_process([{"sentinel": {"rounds": 77}}])["sentinel_rounds"] == 77
    assert plan.for_process([{"samples_ns": []}])["sentinel_rounds"] == 0
