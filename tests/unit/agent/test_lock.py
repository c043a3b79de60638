"""One agent at a time changes a device."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from device_agents.linux import lock
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, floats


def hold(agent: AgentProcess) -> None:
    """Make the agent wait for a payload, with the lock in its hand."""
    agent.ask("stage", sha256="0" * 64, size=5)
    assert agent.read()["event"] == "ready"


def test_second_agent_is_refused_and_told_who_holds_the_lock(agent: AgentProcess, root: Path) -> None:
    hold(agent)
    with AgentProcess(root).boot() as second:
        for verb, params in {
            "stage": {"sha256": "1" * 64, "size": 1},
            "activate": {"manifest": fake_release().manifest, "expect": None},
            "rollback": {"to": None},
            "collect": {"keep": 1, "data": False},
        }.items():
            with pytest.raises(RefusedError) as refused:
                second.request(verb, **params)
            assert refused.value.code == "E_LOCKED"
            assert refused.value.details["pid"] == agent.process.pid
            assert 0 <= refused.value.details["since_s"] < 60


def test_verbs_that_only_look_are_answered_while_the_lock_is_held(agent: AgentProcess, root: Path) -> None:
    hold(agent)
    with AgentProcess(root).boot() as second:
        assert second.request("hello", protocol=[1])
        assert second.request("status")["locked_by"]["pid"] == agent.process.pid
        assert second.request("probe", runtimes=["fake"])["runtimes"]["fake"]["ok"]
        assert [event["event"] for event in second.events] == ["warning"], "the result could not be stored"


def test_infer_runs_while_the_lock_is_held_and_measure_does_not(agent: AgentProcess, root: Path) -> None:
    release = fake_release()
    agent.deploy(release)
    data = agent.stage(floats(1, 2, 3, 4))
    hold(agent)
    job = {
        "artifact": {"release": "active"},
        "inputs": [{"blob": data, "shape": [1, 4], "dtype": "float32"}],
        "options": {},
    }
    with AgentProcess(root).boot() as second:
        assert second.request("infer", **job)["child"]["exit"] == "ok"
        for verb, more in (
            ("evaluate", {}),
            ("measure", {"processes": 1, "warmup": 0, "samples": 1, "min_seconds": 0}),
        ):
            with pytest.raises(RefusedError) as refused:
                second.request(verb, **job, **more)
            assert refused.value.code == "E_LOCKED"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_lock_falls_with_its_holder(agent: AgentProcess, root: Path, number: signal.Signals) -> None:
    hold(agent)
    agent.process.send_signal(number)
    assert agent.process.wait(10) in (-signal.SIGKILL, 143)

    with AgentProcess(root).boot() as second:
        assert second.request("status")["locked_by"] is None
        assert second.stage(b"free")


def test_holder_text_of_another_boot_is_just_text(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 1, "boot_id": "an earlier one", "since": 0.0}))

    assert lock.holder(str(path)) is None
    with lock.exclusive(str(path)):
        path.write_text(json.dumps({"pid": 1, "boot_id": "an earlier one", "since": 0.0}))
        assert lock.holder(str(path)) == {"pid": 0, "since_s": 0.0}


def test_lock_that_is_a_link_is_refused(agent: AgentProcess, root: Path, tmp_path: Path) -> None:
    (root / "lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(RefusedError) as refused:
        agent.stage(b"x")

    assert refused.value.code == "E_STORAGE"
    assert not (tmp_path / "elsewhere").exists()
