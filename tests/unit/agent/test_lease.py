"""Leases: a device for one host, and no late writers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, sha256
from edgekit.selftest.lab.altered_agent import MACHINE, LabMachine, altered

RELEASE = fake_release()


@pytest.fixture(scope="module")
def program() -> AgentProgram:
    return altered(*MACHINE)


@pytest.fixture
def machine(tmp_path: Path) -> LabMachine:
    return LabMachine(folder=tmp_path / "machine")


@pytest.fixture
def agent(root: Path, machine: LabMachine, program: AgentProgram) -> Iterator[AgentProcess]:
    with AgentProcess(root, env=machine.env, program=program).boot() as process:
        yield process


def code(agent: AgentProcess, verb: str, **params: Any) -> str:
    """The code that a request is refused with, "" when it is done."""
    try:
        agent.request(verb, **params)
    except RefusedError as refusal:
        return refusal.code
    return ""


def stage(agent: AgentProcess, data: bytes, token: int) -> dict[str, object]:
    """Put a blob on the device under a lease."""
    return agent.request(
        "stage", sha256=sha256(data), size=len(data), token=token, on_ready=lambda at: agent.send_frames(data[at:])
    )


def test_lease_keeps_others_out_and_status_names_its_owner(agent: AgentProcess) -> None:
    token = agent.request("lease", owner="kitchen host", ttl_s=60)["token"]

    with pytest.raises(RefusedError, match="leased to kitchen host") as refused:
        agent.request("rollback", to=None)

    assert refused.value.code == "E_LOCKED"
    assert refused.value.details["token"] == token
    assert agent.request("status")["lease"]["owner"] == "kitchen host"
    assert code(agent, "lease", owner="other", ttl_s=60) == "E_LOCKED"


def test_holder_of_the_lease_works_by_its_token(agent: AgentProcess) -> None:
    token = agent.request("lease", owner="us", ttl_s=60)["token"]
    for data in RELEASE.files:
        assert stage(agent, data, token) == {"sha256": sha256(data), "sent": len(data), "already": False}

    assert agent.request("activate", manifest=RELEASE.manifest, expect=None, token=token)["active"] == RELEASE.digest
    assert code(agent, "collect", keep=1, data=False) == "E_LOCKED"
    assert code(agent, "collect", keep=1, data=False, token=token) == ""


def test_lease_that_ran_out_is_anybodys_and_the_late_writer_is_refused(
    agent: AgentProcess, machine: LabMachine
) -> None:
    old = agent.request("lease", owner="sleeper", ttl_s=60)["token"]
    machine.sleep(61)

    new = agent.request("lease", owner="next", ttl_s=60)["token"]

    assert new > old
    assert code(agent, "collect", keep=1, data=False, token=old) == "E_LOCKED"
    assert code(agent, "lease", owner="sleeper", ttl_s=60, token=old) == "E_LOCKED"
    assert code(agent, "collect", keep=1, data=False, token=new) == ""


def test_lease_that_ran_out_and_went_to_nobody_is_renewed(agent: AgentProcess, machine: LabMachine) -> None:
    token = agent.request("lease", owner="us", ttl_s=60)["token"]
    machine.sleep(3600)

    assert agent.request("lease", owner="us", ttl_s=60, token=token)["token"] == token
    assert code(agent, "collect", keep=1, data=False) == "E_LOCKED"


def test_lease_that_is_given_back_is_over(agent: AgentProcess) -> None:
    token = agent.request("lease", owner="us", ttl_s=60)["token"]

    agent.request("lease", release=True, token=token)

    assert agent.request("status")["lease"] is None
    assert code(agent, "collect", keep=1, data=False) == ""
    assert code(agent, "collect", keep=1, data=False, token=token) == "E_LOCKED"
    assert agent.request("lease", owner="next", ttl_s=1)["token"] > token


def test_restart_of_the_machine_ends_a_lease_and_keeps_its_token_from_coming_back(
    agent: AgentProcess, machine: LabMachine
) -> None:
    token = agent.request("lease", owner="us", ttl_s=3600)["token"]

    machine.reboot()

    assert code(agent, "collect", keep=1, data=False) == ""
    assert agent.request("lease", owner="next", ttl_s=60)["token"] > token


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": "edgekit.lease/1", "token": "7"}'])
def test_damaged_lease_lets_no_old_token_in(agent: AgentProcess, root: Path, damage: str) -> None:
    token = agent.request("lease", owner="us", ttl_s=3600)["token"]
    (root / "lease.json").write_text(damage)

    assert code(agent, "collect", keep=1, data=False, token=token) == "E_LOCKED"
    assert agent.request("lease", owner="next", ttl_s=60)["token"] > token


def test_recovery_of_another_agent_does_not_take_a_lease_away(agent: AgentProcess, root: Path) -> None:
    agent.request("lease", owner="us", ttl_s=60)
    (root / "lease.json.new").write_text("left by an agent that was killed")

    agent.request("lease", release=True, token=1)

    assert not (root / "lease.json.new").exists()


@pytest.mark.parametrize(
    "params",
    [
        {"owner": "", "ttl_s": 60},
        {"owner": "x" * 201, "ttl_s": 60},
        {"owner": "us", "ttl_s": -1},
        {"owner": "us", "ttl_s": 1e6},
        {"owner": "us"},
        {"ttl_s": 60},
        {"owner": "us", "ttl_s": 60, "token": "1"},
        {"release": True},
    ],
)
def test_lease_that_makes_no_sense_is_refused(agent: AgentProcess, params: dict[str, Any]) -> None:
    assert code(agent, "lease", **params) == "E_PROTOCOL"
