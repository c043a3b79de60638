"""A session of several measures keeps the device for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, floats

COUNTS = {"processes": 1, "warmup": 0, "samples": 1, "min_seconds": 0, "memory": 0}


@pytest.fixture
def job(agent: AgentProcess) -> dict[str, Any]:
    agent.deploy(fake_release())
    data = agent.stage(floats(1, 2, 3, 4))
    return {
        "artifact": {"release": "active"},
        "inputs": [{"blob": data, "shape": [1, 4], "dtype": "float32"}],
        "options": {},
        **COUNTS,
    }


def holder(root: Path) -> dict[str, Any] | None:
    """Who holds the lock, in the eyes of another agent."""
    with AgentProcess(root).boot() as second:
        facts: dict[str, Any] | None = second.request("status")["locked_by"]
        if facts is not None:
            with pytest.raises(RefusedError) as refused:
                second.stage(b"from elsewhere")
            assert (refused.value.code, refused.value.details["pid"]) == ("E_LOCKED", facts["pid"])
        return facts


def test_measure_that_holds_keeps_others_out_until_one_that_does_not(
    agent: AgentProcess, root: Path, job: dict[str, Any]
) -> None:
    agent.request("measure", **job, hold=True)

    held = holder(root)
    assert held is not None
    assert held["pid"] == agent.process.pid

    agent.request("measure", **job, hold=True)
    agent.request("measure", **job)
    assert holder(root) is None


def test_agent_that_holds_answers_its_own_host(agent: AgentProcess, root: Path, job: dict[str, Any]) -> None:
    agent.request("measure", **job, hold=True)

    other = fake_release(3.0)
    agent.deploy(other)
    assert agent.request("rollback", to=None)["previous"] == other.digest
    assert agent.request("probe", runtimes=["fake"])["runtimes"]["fake"]["ok"]
    assert agent.events == []
    assert agent.request("evaluate", **{key: job[key] for key in ("artifact", "inputs", "options")})["samples"] == 1
    assert agent.request("collect", keep=0, data=True)["freed_bytes"] > 0

    assert holder(root) is not None


def test_lock_that_was_held_falls_with_the_agent(agent: AgentProcess, root: Path, job: dict[str, Any]) -> None:
    agent.request("measure", **job, hold=True)
    agent.kill()

    assert holder(root) is None


def test_measure_that_is_refused_keeps_the_hold_that_it_asked_for(
    agent: AgentProcess, root: Path, job: dict[str, Any]
) -> None:
    agent.request("measure", **job, hold=True)

    for hold in (True, False):
        with pytest.raises(RefusedError):
            agent.request("measure", **{**job, "affinity": [99_999]}, hold=hold)
        assert (holder(root) is not None) == hold


def test_hold_waits_for_nobody(agent: AgentProcess, root: Path, job: dict[str, Any]) -> None:
    agent.ask("stage", sha256="0" * 64, size=5)
    assert agent.read()["event"] == "ready"
    with AgentProcess(root).boot() as second:
        with pytest.raises(RefusedError) as refused:
            second.request("measure", **job, hold=True)
        assert refused.value.code == "E_LOCKED"
        agent.kill()

        assert second.stage(b"the refused one holds nothing")
        assert holder(root) is None


def test_probe_of_no_runtime_tells_the_state_and_stores_nothing(agent: AgentProcess, root: Path) -> None:
    answer = agent.request("probe", runtimes=[])

    assert answer["runtimes"] == {}
    assert answer["environment"]["conditions"]["monotonic_ns"] > 0
    assert [path.name for path in root.iterdir()] == ["agents"]
