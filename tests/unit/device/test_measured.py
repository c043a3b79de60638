"""Answers to `measure`: of agents of this version, of old ones, and of some that are not honest."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from edgekit.core.errors import ProtocolError
from edgekit.core.measurement import Conditions, InstructionCount, OperatorRun, Window
from edgekit.device.fields import Fields
from edgekit.device.measured import MeasureRequest, MeasureResult
from edgekit.device.replies import ProbeResult

CHILD = {"exit": "ok", "signal": None, "message": "", "max_rss_bytes": 1000}
RUN = {"import_ns": 1, "load_ns": 2, "first_ns": 3, "warmup_ns": [4], "samples_ns": [5, 6], "child": CHILD}
MEMORY = {"baseline_rss_bytes": 1, "peak_rss_bytes": 2, "file_bytes": 3, "child": CHILD}
OLD: dict[str, Any] = {
    "runs": [RUN],
    "memory": MEMORY,
    "environment": {"before": {"x": "\x07"}, "after": {}},
}
STATE = {
    "monotonic_ns": 10, "realtime_ns": 20, "cpu_ns": 5, "busy_ticks": 1, "all_ticks": 2, "swapped_pages": 0,
    "available_bytes": 100, "load": 0.5, "temperature_c": -4.5, "frequency_khz": {"0": 1_500_000, "1": None},
    "throttled": 0x50000,
}  # fmt: skip
CONDITIONS = Conditions(
    monotonic_ns=10, realtime_ns=20, cpu_ns=5, busy_ticks=1, all_ticks=2, swapped_pages=0, available_bytes=100,
    load=0.5, temperature_c=-4.5, frequency_khz={"0": 1_500_000}, throttled=0x50000,
)  # fmt: skip
NEW: dict[str, Any] = {
    "runs": [
        {
            **RUN,
            "batch": 7,
            "cold": False,
            "steady": True,
            "timer_ns": 40,
            "sentinel": {"rounds": 9, "before_ns": 50, "after_ns": 60},
            "switches": 0,
            "before": STATE,
            "after": STATE,
            "stages_ns": {"quantize": [7, 8], "dequantize": [9]},
            "outputs_sha256": "ab" * 32,
            "outputs_each_sha256": ["cd" * 32, "ef" * 32],
            "windows": [{"samples": 1, "conditions": STATE}, {"samples": 1, "conditions": STATE}],
        }
    ],
    "memory": {**MEMORY, "pss_bytes": 4, "private_bytes": 5, "swap_bytes": 0, "arena_bytes": None},
    "memories": [MEMORY, MEMORY],
    "environment": {"before": {"conditions": STATE}, "after": {"conditions": STATE}},
    "operators": [{"name": "a", "op": "ADD", "ns": [1, 2], "instructions": None}],
    "operators_reason": None,
    "instructions": {"value": 5, "low": 4, "high": 6, "calls": 3, "exact": True, "source": "perf"},
}


def parse(answer: dict[str, Any]) -> MeasureResult:
    return MeasureResult.parse(Fields(answer, "measure"))


def test_answer_of_an_old_agent_is_read_and_the_rest_is_not_known() -> None:
    result = parse(OLD)

    (run,) = result.runs
    assert run.samples_ns == (5, 6)
    assert run.total_ns == 21
    assert (run.batch, run.cold, run.steady, run.timer_ns, run.sentinel_ns) == (1, None, None, None, None)
    assert run.outputs_each_sha256 == ()
    assert (run.switches, run.before, run.after, run.stages_ns, run.windows) == (None, None, None, {}, ())
    assert result.memories == (result.memory,)
    assert result.environment_before == {"x": "\\x07"}
    assert (result.conditions_before, result.operators, result.instructions) == (None, (), None)


def test_answer_is_read_whole() -> None:
    result = parse(NEW)

    (run,) = result.runs
    assert (run.batch, run.cold, run.steady, run.timer_ns, run.switches) == (7, False, True, 40, 0)
    assert (run.sentinel_rounds, run.sentinel_ns) == (9, (50, 60))
    assert run.before == run.after == result.conditions_before == CONDITIONS
    assert run.stages_ns == {"quantize": (7, 8), "dequantize": (9,)}
    assert run.outputs_sha256 == "ab" * 32
    assert run.outputs_each_sha256 == ("cd" * 32, "ef" * 32)
    assert run.windows == (Window(samples=1, conditions=CONDITIONS),) * 2
    assert run.total_ns == 1 + 2 + 3 + 4 + 7 * 11 + 110, "a sample is the mean of its batch"
    assert result.memory is not None
    assert (result.memory.pss_bytes, result.memory.private_bytes, result.memory.swap_bytes) == (4, 5, 0)
    assert result.memory.arena_bytes is None
    assert len(result.memories) == 2
    assert result.operators == (OperatorRun(name="a", op="ADD", ns=(1, 2)),)
    assert result.instructions == InstructionCount(value=5, low=4, high=6, calls=3, exact=True, source="perf")


def test_answer_without_memory_is_read() -> None:
    result = parse({**OLD, "memory": None, "memories": []})

    assert (result.memory, result.memories) == (None, ())


def test_times_are_missing_only_where_the_child_failed() -> None:
    silent = copy.deepcopy(OLD)
    silent["runs"][0] |= {"import_ns": None, "load_ns": None, "first_ns": None}

    with pytest.raises(ProtocolError, match="import_ns"):
        parse(silent)
    silent["runs"][0]["child"]["exit"] = "signal"
    assert parse(silent).runs[0].first_ns is None


@pytest.mark.parametrize(
    "changes",
    [
        {"samples_ns": [5, 0]},
        {"samples_ns": [-5]},
        {"first_ns": 0},
        {"load_ns": -1},
        {"batch": 0},
        {"cold": 1},
        {"steady": "yes"},
        {"timer_ns": -1},
        {"sentinel": {"rounds": 0, "before_ns": 1, "after_ns": 1}},
        {"sentinel": {"rounds": 1, "before_ns": 1}},
        {"sentinel": [1, 2]},
        {"switches": -1},
        {"before": {**STATE, "monotonic_ns": None}},
        {"after": {**STATE, "load": float("nan")}},
        {"after": {**STATE, "temperature_c": -300}},
        {"after": {**STATE, "frequency_khz": {"0": -1}}},
        {"stages_ns": {"quantize": [-1]}},
        {"stages_ns": [1]},
        {"outputs_sha256": "x"},
        {"outputs_each_sha256": ["x"]},
        {"windows": [{"samples": 1, "conditions": STATE}]},
        {"windows": [{"samples": 3, "conditions": STATE}]},
        {"windows": [{"samples": 2}]},
    ],
    ids=str,
)
def test_run_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    lying = copy.deepcopy(NEW)
    lying["runs"][0] |= changes

    with pytest.raises(ProtocolError):
        parse(lying)


@pytest.mark.parametrize(
    "changes",
    [
        {"memories": [{**MEMORY, "pss_bytes": -1}]},
        {"memories": {}},
        {"operators": [{"name": "a", "op": "ADD"}]},
        {"operators": [{"name": "a", "op": "ADD", "ns": [1.5]}]},
        {"instructions": {"value": 0}},
        {"instructions": 5},
        {"environment": {"before": {"conditions": 1}, "after": {}}},
    ],
    ids=str,
)
def test_answer_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        parse({**NEW, **changes})


def test_names_of_stages_and_operators_cannot_upset_a_terminal() -> None:
    hostile = copy.deepcopy(NEW)
    hostile["runs"][0]["stages_ns"] = {"\x1b[31m": [1]}
    hostile["runs"][0]["before"] = {**STATE, "frequency_khz": {"\x1b[31m": 1}}
    hostile["operators"][0]["name"] = "\x1b[31m"

    result = parse(hostile)

    assert list(result.runs[0].stages_ns) == ["\\x1b[31m"]
    assert result.runs[0].before is not None
    assert list(result.runs[0].before.frequency_khz) == ["\\x1b[31m"]
    assert result.operators[0].name == "\\x1b[31m"


def test_conditions_are_read_from_a_probe() -> None:
    answer = {"runtimes": {}, "environment": {"conditions": STATE}}

    assert ProbeResult.parse(Fields(answer, "probe")).conditions == CONDITIONS


def test_request_names_what_is_asked_for_and_nothing_else() -> None:
    least = MeasureRequest(processes=2, warmup=0, samples=5, min_seconds=0)
    most = MeasureRequest(
        processes=2, warmup=0, samples=5, min_seconds=0, hold=True, memory=0, sentinel_rounds=0, affinity=(1, 2)
    )

    counts = {"processes": 2, "warmup": 0, "samples": 5, "min_seconds": 0}
    assert least.as_json() == counts
    assert most.as_json() == {**counts, "hold": True, "memory": 0, "sentinel_rounds": 0, "affinity": [1, 2]}
