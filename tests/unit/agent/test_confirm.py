"""Releases on trial: they stay when they are confirmed, and go in every other case."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError
from edgekit.selftest.lab.trials import OLD, TrialDevice, bad_release, trial_program

GOOD = bad_release("never", {})
OTHER = bad_release("never", {"scale": 5.0})
LONG_S = 300.0


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ROOT with OLD active, and the files of the others staged."""
    device = TrialDevice.make(tmp_path_factory.mktemp("template") / "device", trial_program())
    with device.agent() as agent:
        for data in {*GOOD.files, *OTHER.files}:
            agent.stage(data)
    return device.root


@pytest.fixture
def device(template: Path, tmp_path: Path) -> Iterator[TrialDevice]:
    made = TrialDevice.make(tmp_path / "device", trial_program(), template)
    yield made
    made.signal_all(signal.SIGKILL)


@pytest.fixture
def agent(device: TrialDevice) -> Iterator[AgentProcess]:
    with device.agent() as running:
        yield running


def begin_trial(agent: AgentProcess, confirm_s: float = LONG_S) -> None:
    answer = agent.request("activate", manifest=GOOD.manifest, expect=None, confirm_s=confirm_s)
    assert 0 < answer["confirm_left_s"] <= confirm_s


def wait_for_the_end(pid: int) -> None:
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        ended, _, _ = select.select([descriptor], [], [], 30)
        os.close(descriptor)
        assert ended, "the watchdog stays behind"


def test_release_on_trial_is_active_and_status_tells_how_long(agent: AgentProcess, device: TrialDevice) -> None:
    begin_trial(agent)

    status = agent.request("status")
    assert (status["active"], status["previous"], status["pending"]) == (GOOD.digest, OLD.digest, GOOD.digest)
    assert 0 < status["confirm_left_s"] <= LONG_S
    assert device.current() == GOOD.digest


def test_confirmed_release_stays_and_the_floor_rises_only_then(agent: AgentProcess) -> None:
    begin_trial(agent)

    answer = agent.request("confirm", digest=GOOD.digest)

    assert answer == {"active": GOOD.digest, "previous": OLD.digest}
    status = agent.request("status")
    assert (status["pending"], status["confirm_left_s"], status["failed"]) == (None, None, {})
    assert agent.request("confirm", digest=GOOD.digest) == answer, "a second confirmation is harmless"


def test_watchdog_outlives_agent_and_connection_and_takes_the_release_back(device: TrialDevice) -> None:
    with device.agent() as agent:
        begin_trial(agent, confirm_s=0.5)
        agent.end()

    device.wait_until_settled()

    assert device.current() == OLD.digest
    assert json.loads((device.root / "state.json").read_text())["failed"] == {
        GOOD.digest: "it was not confirmed in time"
    }


def test_watchdog_holds_neither_lock_nor_channel_and_ends_with_the_trial(device: TrialDevice) -> None:
    with device.agent() as agent:
        begin_trial(agent)
        watchdogs = set(device.processes()) - {agent.process.pid}
        agent.end()  # reads the agent's error output to its end: whoever else has it open would keep us here
    assert len(watchdogs) == 1
    (watchdog,) = watchdogs
    assert os.getsid(watchdog) != os.getsid(0)
    assert {str(entry.readlink()) for entry in Path(f"/proc/{watchdog}/fd").iterdir()} == {"/dev/null"}

    with device.agent() as second:
        assert second.request("status")["locked_by"] is None
        second.request("confirm", digest=GOOD.digest)

    wait_for_the_end(watchdog)


def test_watchdog_leaves_the_next_trial_of_the_same_release_alone(device: TrialDevice) -> None:
    with device.agent() as agent:
        begin_trial(agent, confirm_s=5.0)
        (first,) = set(device.processes()) - {agent.process.pid}
        agent.request("confirm", digest=GOOD.digest, refuse="the host changed its mind")
        agent.request("activate", manifest=GOOD.manifest, expect=None, confirm_s=LONG_S, retry=True)
        wait_for_the_end(first)

        assert device.current() == GOOD.digest
        assert agent.request("status")["pending"] == GOOD.digest


def test_holder_of_the_lock_does_not_keep_a_release_beyond_its_deadline(device: TrialDevice) -> None:
    with device.agent() as agent:
        begin_trial(agent, confirm_s=0.5)
        agent.ask("stage", sha256="0" * 64, size=5)  # waits for bytes, with the lock, as under a host that is gone
        assert agent.read()["event"] == "ready"

        device.wait_until_settled()

        assert device.current() == OLD.digest
        assert agent.process.wait(30) == 143, "it was asked to end"


def test_release_that_is_refused_goes_at_once_with_the_reason(agent: AgentProcess, device: TrialDevice) -> None:
    begin_trial(agent)

    answer = agent.request("confirm", digest=GOOD.digest, refuse="latency is 12, the budget is 10")

    assert answer == {"active": OLD.digest, "previous": None}
    assert device.current() == OLD.digest
    assert agent.request("status")["failed"] == {GOOD.digest: "latency is 12, the budget is 10"}


def test_refusal_that_comes_too_late_does_not_go_one_release_further(agent: AgentProcess, device: TrialDevice) -> None:
    agent.request("activate", manifest=OTHER.manifest, expect=None)
    begin_trial(agent)
    agent.request("confirm", digest=GOOD.digest, refuse="too slow")

    with pytest.raises(RefusedError) as refused:
        agent.request("confirm", digest=GOOD.digest, refuse="too slow")

    assert refused.value.code == "E_ROLLED_BACK"
    assert device.current() == OTHER.digest


def test_rollback_ends_a_trial(agent: AgentProcess) -> None:
    begin_trial(agent)

    assert agent.request("rollback", to=None) == {"active": OLD.digest, "previous": None}
    assert list(agent.request("status")["failed"]) == [GOOD.digest]


def test_confirmation_after_the_deadline_is_told_what_happened(agent: AgentProcess, device: TrialDevice) -> None:
    begin_trial(agent)
    device.machine.sleep(LONG_S + 1)

    with pytest.raises(RefusedError, match="not confirmed in time") as refused:
        agent.request("confirm", digest=GOOD.digest)

    assert refused.value.code == "E_ROLLED_BACK"
    assert device.current() == OLD.digest


def test_confirmation_of_what_was_never_on_trial_is_refused(agent: AgentProcess) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("confirm", digest=GOOD.digest)

    assert refused.value.code == "E_INPUT"


def test_other_release_is_refused_during_a_trial(agent: AgentProcess) -> None:
    begin_trial(agent)

    with pytest.raises(RefusedError) as refused:
        agent.request("activate", manifest=OTHER.manifest, expect=None)

    assert refused.value.code == "E_LOCKED"
    assert refused.value.details["pending"] == GOOD.digest


def test_same_release_again_goes_on_with_the_trial_or_settles_it(agent: AgentProcess) -> None:
    begin_trial(agent)

    again = agent.request("activate", manifest=GOOD.manifest, expect=GOOD.digest, confirm_s=LONG_S)
    assert (again["unchanged"], again["confirm_left_s"] > 0) == (True, True)
    settled = agent.request("activate", manifest=GOOD.manifest, expect=None)

    assert (settled["active"], settled["confirm_left_s"]) == (GOOD.digest, None)
    assert agent.request("status")["pending"] is None


def test_collect_keeps_what_is_on_trial_and_what_comes_back(agent: AgentProcess) -> None:
    begin_trial(agent)

    agent.request("collect", keep=0, data=True)

    assert agent.request("rollback", to=None)["active"] == OLD.digest


def test_restart_ends_a_trial_before_any_host_comes(device: TrialDevice) -> None:
    with device.agent() as agent:
        begin_trial(agent)
        device.signal_all(signal.SIGKILL)
    device.machine.reboot()
    archive = next((device.root / "agents").glob("*.pyz"))

    done = subprocess.run(
        [sys.executable, "-I", str(archive), "recover", str(device.root)],
        env={**os.environ, **device.machine.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert device.current() == OLD.digest
    assert "restarted" in json.loads((device.root / "state.json").read_text())["failed"][GOOD.digest]


def test_wall_clock_does_not_matter_for_a_trial(agent: AgentProcess, device: TrialDevice) -> None:
    begin_trial(agent)
    pending = json.loads((device.root / "state.json").read_text())["pending"]

    assert pending["until"] < 10 * 365 * 86_400, "seconds since the boot, not since 1970"


@pytest.mark.parametrize("confirm_s", [0, -1, "60", True, 1e9])
def test_deadline_that_cannot_be_is_refused(agent: AgentProcess, confirm_s: object) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("activate", manifest=GOOD.manifest, expect=None, confirm_s=confirm_s)

    assert refused.value.code == "E_PROTOCOL"
