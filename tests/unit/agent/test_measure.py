"""measure with all that it can be asked for, on LiteRT and a small int8 model."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from edgekit.device.fields import Fields
from edgekit.device.measured import MeasureResult
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError
from tests.models.boards import dense_model

CORE = max(os.sched_getaffinity(0))
COUNTS = {"processes": 2, "warmup": 3, "samples": 5, "min_seconds": 0.15}
EVERYTHING = {
    "memory": 2,
    "steady_cap_s": 0.1,
    "batch_ns": 1_000_000,
    "sentinel_rounds": 0,
    "cold": True,
    "affinity": [CORE],
    "stages": True,
    "outputs": True,
    "window_s": 0.1,
}


def job(agent: AgentProcess, **more: Any) -> dict[str, Any]:
    x = np.random.default_rng(0).integers(-128, 128, (20, 32)).astype(np.int8)
    return {
        "artifact": {"blob": agent.stage(dense_model()), "format": "tflite", "runtime": "litert"},
        "inputs": [{"blob": agent.stage(x.tobytes()), "shape": list(x.shape), "dtype": "int8"}],
        "options": {},
        **COUNTS,
        **more,
    }


@pytest.fixture(scope="module")
def answer(shared_agent: AgentProcess) -> dict[str, Any]:
    return shared_agent.request("measure", **job(shared_agent, **EVERYTHING))


@pytest.fixture(scope="module")
def runs(answer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["runs"]
    assert [run["child"]["exit"] for run in found] == ["ok", "ok"]
    return found


def test_short_calls_of_a_real_model_are_batched(runs: list[dict[str, Any]]) -> None:
    for run in runs:
        assert run["timer_ns"] > 0
        assert run["batch"] > 1
        assert len(run["samples_ns"]) >= 5
        assert isinstance(run["steady"], bool)


def test_both_processes_have_the_same_sentinel(runs: list[dict[str, Any]]) -> None:
    rounds = [run["sentinel"]["rounds"] for run in runs]

    assert rounds[0] == rounds[1] > 1
    assert all(min(run["sentinel"]["before_ns"], run["sentinel"]["after_ns"]) > 0 for run in runs)


def test_processes_that_compute_the_same_have_one_digest(runs: list[dict[str, Any]]) -> None:
    assert runs[0]["outputs_sha256"] == runs[1]["outputs_sha256"]


def test_stages_of_an_int8_model_are_timed(runs: list[dict[str, Any]]) -> None:
    assert {name: len(times) for name, times in runs[0]["stages_ns"].items()} == {"quantize": 1000, "dequantize": 1000}


def test_windows_hold_all_samples(runs: list[dict[str, Any]]) -> None:
    for run in runs:
        assert sum(window["samples"] for window in run["windows"]) == len(run["samples_ns"])


def test_runs_tell_what_happened_on_their_core(runs: list[dict[str, Any]]) -> None:
    for run in runs:
        assert run["switches"] >= 0
        assert list(run["after"]["frequency_khz"]) == [str(CORE)]
        worked_s = (run["after"]["cpu_ns"] - run["before"]["cpu_ns"]) / 1e9
        assert worked_s > 0.1
        busy_s = (run["after"]["busy_ticks"] - run["before"]["busy_ticks"]) / os.sysconf("SC_CLK_TCK")
        assert busy_s > worked_s - 0.1, "the core was at least as busy as the one process that is pinned to it"


def test_every_process_that_weighs_has_its_answer(answer: dict[str, Any]) -> None:
    assert len(answer["memories"]) == 2
    assert answer["memory"] == answer["memories"][0]
    for memory in answer["memories"]:
        assert memory["child"]["exit"] == "ok"
        assert 0 < memory["private_bytes"] <= memory["pss_bytes"] <= memory["peak_rss_bytes"]
        assert memory["arena_bytes"] is None, "LiteRT does not tell it"


def test_environment_names_the_wheel_that_ran(answer: dict[str, Any]) -> None:
    before, after = answer["environment"]["before"], answer["environment"]["after"]

    assert before["runtime"] == after["runtime"]
    assert set(before["runtime"]["versions"]) == set(before["runtime"]["wheels"]) == {"ai-edge-litert", "numpy"}
    assert all(len(digest) == 64 for digest in before["runtime"]["wheels"].values())
    assert before["conditions"]["monotonic_ns"] < after["conditions"]["monotonic_ns"]


def test_cold_is_told_of_each_process(runs: list[dict[str, Any]]) -> None:
    assert all(isinstance(run["cold"], bool) for run in runs)


def test_host_understands_all_of_it(answer: dict[str, Any]) -> None:
    result = MeasureResult.parse(Fields(answer, "measure"))

    assert result.conditions_before is not None
    for run, raw in zip(result.runs, answer["runs"], strict=True):
        assert run.after is not None
        assert run.after.cpu_ns == raw["after"]["cpu_ns"]
        assert run.sentinel_rounds == raw["sentinel"]["rounds"]
        assert set(raw) <= {*vars(run), "sentinel"}, "nothing is told that the host does not read"
    assert [vars(memory).keys() for memory in result.memories] == [raw.keys() for raw in answer["memories"]]


def test_measure_without_memory_weighs_nothing(shared_agent: AgentProcess) -> None:
    answer = shared_agent.request("measure", **job(shared_agent, processes=1, min_seconds=0, memory=0))

    assert (answer["memory"], answer["memories"]) == (None, [])
    assert answer["environment"]["after"]["runtime"] is None
    assert len(answer["runs"][0]["samples_ns"]) == 5


def test_measure_refuses_a_core_that_is_not_there(shared_agent: AgentProcess) -> None:
    with pytest.raises(RefusedError, match="core 99999") as refused:
        shared_agent.request("measure", **job(shared_agent, affinity=[99_999]))

    assert refused.value.code == "E_INPUT"
