"""infer, evaluate and measure with LiteRT and the model of the probe: y = x + x."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_agents.linux.runners.litert import PROBE_MODEL
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError


@pytest.fixture
def agent(shared_agent: AgentProcess) -> AgentProcess:
    return shared_agent


def job(agent: AgentProcess, data: np.ndarray[Any, Any], **options: Any) -> dict[str, Any]:
    return {
        "artifact": {"blob": agent.stage(PROBE_MODEL), "format": "tflite", "runtime": "litert"},
        "inputs": [{"blob": agent.stage(data.tobytes()), "shape": list(data.shape), "dtype": data.dtype.name}],
        "options": options,
    }


def test_probe_proves_litert_and_names_versions(agent: AgentProcess) -> None:
    found = agent.request("probe", runtimes=["litert"])["runtimes"]["litert"]

    assert (found["ok"], found["formats"]) == (True, ["tflite"])
    assert set(found["versions"]) == {"ai-edge-litert", "numpy"}


@pytest.mark.parametrize("kernels", ["default", "reference", "builtin"])
def test_infer_answers_with_the_outputs(agent: AgentProcess, kernels: str) -> None:
    x = np.array([[1, 2, 3, 4]], dtype=np.float32)

    result = agent.request("infer", **job(agent, x, kernels=kernels, threads=2))

    assert result["outputs"] == [{"name": "y", "shape": [1, 4], "dtype": "float32"}]
    assert result["child"]["exit"] == "ok"
    assert np.array_equal(np.frombuffer(agent.payloads[0][1], np.float32), [2, 4, 6, 8])


@pytest.mark.parametrize("count", [1, 63, 64, 65, 66, 1000])
def test_evaluate_keeps_the_order_of_the_samples(agent: AgentProcess, count: int) -> None:
    x = np.random.default_rng(count).random((count, 4), dtype=np.float32)

    result = agent.request("evaluate", **job(agent, x))

    y = np.frombuffer(agent.payloads[0][1], np.float32).reshape(result["outputs"][0]["shape"])
    assert np.array_equal(y, x + x)
    assert result["samples"] == count
    assert result["seconds"] > 0


def test_evaluate_sends_outputs_of_many_frames(agent: AgentProcess) -> None:
    x = np.random.default_rng(0).random((150_000, 4), dtype=np.float32)

    agent.request("evaluate", **job(agent, x))

    assert np.array_equal(np.frombuffer(agent.payloads[0][1], np.float32).reshape(x.shape), x + x)


@pytest.mark.parametrize(
    "x",
    [np.zeros((1, 4), np.int8), np.zeros((1, 5), np.float32), np.zeros((4,), np.float32)],
    ids=["dtype", "size", "axis"],
)
def test_infer_refuses_data_that_does_not_fit(agent: AgentProcess, x: np.ndarray[Any, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("infer", **job(agent, x))

    assert refused.value.code == "E_INPUT"


def test_infer_refuses_data_of_another_size_than_its_shape(agent: AgentProcess) -> None:
    work = job(agent, np.zeros((1, 4), np.float32))
    work["inputs"][0]["shape"] = [2, 4]

    with pytest.raises(RefusedError) as refused:
        agent.request("infer", **work)

    assert refused.value.code == "E_VERIFY"


@pytest.mark.parametrize(
    "model", [b"", b"x", PROBE_MODEL[:100], PROBE_MODEL[:8] + bytes(288)], ids=["empty", "byte", "cut", "zeros"]
)
def test_infer_survives_a_file_that_is_no_model(agent: AgentProcess, model: bytes) -> None:
    work = job(agent, np.zeros((1, 4), np.float32))
    work["artifact"]["blob"] = agent.stage(model)

    with pytest.raises(RefusedError) as refused:
        agent.request("infer", **work)

    assert refused.value.code in ("E_UNSUPPORTED", "E_DEVICE")
    assert agent.request("hello", protocol=[1])


@pytest.mark.parametrize(
    ("options", "word"), [({"delegate": "npu"}, "npu"), ({"delegate": "xnnpack", "kernels": "reference"}, "xnnpack")]
)
def test_infer_refuses_a_delegate_that_is_not_there(agent: AgentProcess, options: dict[str, Any], word: str) -> None:
    with pytest.raises(RefusedError, match=word) as refused:
        agent.request("infer", **job(agent, np.zeros((1, 4), np.float32), **options))

    assert refused.value.code == "E_UNSUPPORTED"


def test_infer_needs_an_active_release_when_it_names_none(agent: AgentProcess) -> None:
    work = job(agent, np.zeros((1, 4), np.float32))
    work["artifact"] = {"release": "active"}

    with pytest.raises(RefusedError) as refused:
        agent.request("infer", **work)

    assert refused.value.code == "E_INPUT"


def test_measure_gives_raw_times_of_fresh_processes(agent: AgentProcess) -> None:
    x = np.zeros((8, 4), np.float32)

    result = agent.request("measure", **job(agent, x), processes=2, warmup=3, samples=5, min_seconds=0)

    assert len(result["runs"]) == 2
    for run in result["runs"]:
        assert (len(run["warmup_ns"]), len(run["samples_ns"]), run["batch"]) == (3, 5, 1)
        assert min(run["import_ns"], run["load_ns"], run["first_ns"], *run["samples_ns"]) > 0
        assert run["import_ns"] > run["load_ns"], "the library is imported before the model is loaded"
    memory = result["memory"]
    assert memory["baseline_rss_bytes"] < memory["peak_rss_bytes"]
    assert memory["file_bytes"] == len(PROBE_MODEL)
    assert result["environment"]["before"]["boot_id"] == result["environment"]["after"]["boot_id"]


def test_children_write_nothing(agent: AgentProcess, tmp_path: Path) -> None:
    root = Path(agent.request("hello", protocol=[1])["root"])

    agent.request("infer", **job(agent, np.zeros((1, 4), np.float32)))

    assert list((root / "empty").iterdir()) == []
