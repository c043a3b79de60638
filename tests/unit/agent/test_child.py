"""A model that crashes, hangs or eats memory is a result; the agent goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, floats


def job(agent: AgentProcess, **model: Any) -> dict[str, Any]:
    return {
        "artifact": {"blob": agent.stage(json.dumps(model).encode()), "format": "fake", "runtime": "fake"},
        "inputs": [{"blob": agent.stage(floats(*range(8))), "shape": [2, 4], "dtype": "float32"}],
    }


@pytest.mark.parametrize("place", ["load", "run"])
@pytest.mark.parametrize(
    ("behaviour", "options", "exit_", "number"),
    [
        ("crash", {}, "signal", signal.SIGSEGV),
        ("hang", {"timeout_s": 0.5}, "timeout", signal.SIGKILL),
        ("eat", {"memory_limit_bytes": 512 * 1024 * 1024}, "oom", None),
        ("error", {}, "error", None),
    ],
)
def test_infer_tells_how_the_child_ended(
    shared_agent: AgentProcess, place: str, behaviour: str, options: dict[str, Any], exit_: str, number: int | None
) -> None:
    started = time.monotonic()

    with pytest.raises(RefusedError) as refused:
        shared_agent.request("infer", **job(shared_agent, **{place: behaviour}), options=options)

    assert refused.value.code == "E_DEVICE"
    child = refused.value.details["child"]
    assert (child["exit"], child["signal"]) == (exit_, number)
    assert child["max_rss_bytes"] > 0
    assert time.monotonic() - started < 20
    assert shared_agent.request("hello", protocol=[1])


def test_infer_passes_nan_on(shared_agent: AgentProcess) -> None:
    shared_agent.request("infer", **job(shared_agent, run="nan"), options={})

    assert shared_agent.payloads[0][1] == floats(*[float("nan")] * 8)


def test_infer_refuses_an_output_that_is_not_what_the_model_says(shared_agent: AgentProcess) -> None:
    with pytest.raises(RefusedError, match="has not the shape"):
        shared_agent.request("infer", **job(shared_agent, run="shape"), options={})


def test_measure_reports_a_crash_and_stops(shared_agent: AgentProcess) -> None:
    plan = {"processes": 3, "warmup": 1, "samples": 2, "min_seconds": 0}

    result = shared_agent.request("measure", **job(shared_agent, run="crash"), options={}, **plan)

    (run,) = result["runs"]
    assert run["child"]["exit"] == "signal"
    assert (run["first_ns"], run["samples_ns"]) == (None, [])
    assert result["memory"]["child"]["exit"] == "signal"
    assert result["memory"]["peak_rss_bytes"] is None


def wait_for_the_end_of(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


FORKS = """
import os, time
from device_agents.linux.runners import fake
FORMATS, versions, prepare, probe = ("fake",), fake.versions, fake.prepare, fake.probe
def load(path, options):
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
    with open(os.environ["PID_PIPE"], "w") as pipe:
        pipe.write(str(pid))
    return fake.load(path, options)
"""
TELLS = """
import os, time
from device_agents.linux.runners import fake
FORMATS, versions, prepare, probe = ("fake",), fake.versions, fake.prepare, fake.probe
def load(path, options):
    with open(os.environ["PID_PIPE"], "w") as pipe:
        pipe.write(str(os.getpid()))
    time.sleep(600)
"""


def test_child_takes_its_own_children_with_it(tmp_path: Any) -> None:
    (tmp_path / "forks.py").write_text(FORKS)
    os.mkfifo(tmp_path / "pids")
    environment = {"EDGEKIT_RUNNERS": str(tmp_path), "PID_PIPE": str(tmp_path / "pids")}
    with AgentProcess(tmp_path / "root", env=environment).boot() as agent:
        work = job(agent)
        work["artifact"]["runtime"] = "forks"
        agent.ask("infer", **work, options={})
        pid = int((tmp_path / "pids").read_text())
        message: dict[str, Any] = {}
        while message.get("event") != "payload":
            message = agent.read()
        wait_for_the_end_of(pid)


@pytest.mark.parametrize("how", ["close", "term", "kill"])
def test_child_does_not_outlive_the_agent(tmp_path: Any, how: str) -> None:
    (tmp_path / "tells.py").write_text(TELLS)
    os.mkfifo(tmp_path / "pids")
    environment = {"EDGEKIT_RUNNERS": str(tmp_path), "PID_PIPE": str(tmp_path / "pids")}
    with AgentProcess(tmp_path / "root", env=environment).boot() as agent:
        work = job(agent)
        work["artifact"]["runtime"] = "tells"
        agent.ask("infer", **work, options={"timeout_s": 500})
        pid = int((tmp_path / "pids").read_text())
        if how != "close":
            agent.process.send_signal(signal.SIGTERM if how == "term" else signal.SIGKILL)
        agent.end()

    wait_for_the_end_of(pid)


def test_agent_shows_signs_of_life_while_a_child_works(shared_agent: AgentProcess) -> None:
    with pytest.raises(RefusedError):
        shared_agent.request("infer", **job(shared_agent, run="hang"), options={"timeout_s": 3})

    assert "busy" in [event["event"] for event in shared_agent.events]
