"""What an agent says of itself and of its device."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edgekit.device.agent_build import agent_digest
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release


def test_hello_names_agent_machine_and_root(agent: AgentProcess, root: Path) -> None:
    hello = agent.request("hello", protocol=[1])

    assert hello["protocol"] == 1
    assert hello["agent"] == agent_digest()
    assert hello["machine"] == platform.machine()
    assert hello["root"] == str(root)
    assert hello["pid"] == agent.process.pid


def test_hello_picks_the_common_version_when_the_host_offers_several(agent: AgentProcess) -> None:
    assert agent.request("hello", protocol=[3, 1, 2])["protocol"] == 1


@pytest.mark.parametrize("offered", [[2], [], None, "1"])
def test_hello_is_refused_with_both_lists_when_no_version_is_common(agent: AgentProcess, offered: object) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("hello", protocol=offered)

    assert refused.value.code == "E_PROTOCOL"
    assert refused.value.details == {"host": offered, "agent": [1]}


def test_status_of_a_new_device_is_empty_and_writes_nothing(agent: AgentProcess, root: Path) -> None:
    status = agent.request("status")

    assert (status["active"], status["previous"], status["releases"]) == (None, None, [])
    assert status["locked_by"] is None
    assert status["counter"] == 0
    assert status["free_bytes"] <= status["total_bytes"]
    assert [path.name for path in root.iterdir()] == ["agents"]


def test_status_lists_releases_newest_first(agent: AgentProcess) -> None:
    first, second = fake_release(1.0), fake_release(2.0, counter=5)
    agent.deploy(first)
    agent.deploy(second)

    status = agent.request("status")

    assert status["active"] == second.digest
    assert status["previous"] == first.digest
    assert status["releases"] == [second.digest, first.digest]
    assert status["counter"] == 5
    assert status["pending"] is None


def test_probe_is_remembered_by_status(agent: AgentProcess) -> None:
    found = agent.request("probe", runtimes=["fake"])

    assert found["runtimes"]["fake"]["ok"]
    assert found["environment"]["memory_total_bytes"] > 0
    assert agent.request("status")["runtimes"] == found["runtimes"]


def test_probe_gives_a_reason_when_there_is_no_such_runtime(agent: AgentProcess) -> None:
    found = agent.request("probe", runtimes=["abacus"])["runtimes"]["abacus"]

    assert not found["ok"]
    assert "abacus" in found["reason"]


def test_bye_ends_the_agent(agent: AgentProcess) -> None:
    agent.request("bye")

    assert agent.process.wait(10) == 0
