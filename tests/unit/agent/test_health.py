"""Health commands: the device's own programs have a say in every release."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError
from edgekit.selftest.lab.trials import OLD, TrialDevice, bad_release, trial_program

NEW = bad_release("never", {})

APPLICATION = """#!/bin/sh
echo "$EDGEKIT_RELEASE" >> "$EDGEKIT_ROOT/../uses"
test -f "$EDGEKIT_MODEL" || echo "gone back" >> "$EDGEKIT_ROOT/../uses"
"""


@pytest.fixture
def device(tmp_path: Path) -> Iterator[TrialDevice]:
    made = TrialDevice.make(tmp_path / "device", trial_program())
    yield made
    made.signal_all(signal.SIGKILL)


@pytest.fixture
def agent(device: TrialDevice) -> Iterator[AgentProcess]:
    with device.agent() as running:
        for data in NEW.files:
            running.stage(data)
        yield running


def install(device: TrialDevice, name: str, script: str, mode: int = 0o755) -> None:
    folder = device.root / "health"
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(mode)


def uses(device: TrialDevice) -> list[str]:
    return (device.root.parent / "uses").read_text().split("\n")[:-1]


def test_health_command_sees_the_release_that_is_in_place(agent: AgentProcess, device: TrialDevice) -> None:
    install(device, "application", APPLICATION)

    answer = agent.request("activate", manifest=NEW.manifest, expect=None, health=["application"])

    assert answer["active"] == NEW.digest
    assert uses(device) == [NEW.digest]


def test_release_goes_when_a_health_command_fails_and_the_application_is_told(
    agent: AgentProcess, device: TrialDevice
) -> None:
    install(device, "application", APPLICATION)
    install(device, "check", "#!/bin/sh\necho kaputt >&2\nexit 3\n")

    with pytest.raises(RefusedError, match="health command check: exit status 3: kaputt") as refused:
        agent.request("activate", manifest=NEW.manifest, expect=None, health=["application", "check"])

    assert refused.value.code == "E_ROLLED_BACK"
    assert device.current() == OLD.digest
    assert list(agent.request("status")["failed"]) == [NEW.digest]
    assert uses(device) == [NEW.digest, OLD.digest, "gone back"]


def test_health_command_that_hangs_is_ended(agent: AgentProcess, device: TrialDevice) -> None:
    install(device, "slow", "#!/bin/sh\nexec sleep 1000\n")

    with pytest.raises(RefusedError, match=r"did not finish in 0\.3 s"):
        agent.request("activate", manifest=NEW.manifest, expect=None, health=["slow"], health_s=0.3)

    assert device.current() == OLD.digest
    assert set(device.processes()) == {agent.process.pid}


def test_what_a_content_command_starts_goes_on(agent: AgentProcess, device: TrialDevice) -> None:
    install(device, "starter", "#!/bin/sh\nsleep 1000 &\n")

    agent.request("activate", manifest=NEW.manifest, expect=None, health=["starter"], health_s=10)

    assert len(set(device.processes()) - {agent.process.pid}) == 1


def test_watchdog_tells_the_application_too(agent: AgentProcess, device: TrialDevice) -> None:
    install(device, "application", APPLICATION)
    agent.request("activate", manifest=NEW.manifest, expect=None, health=["application"], confirm_s=0.2)

    device.wait_until_settled()
    device.wait_for(OLD.digest)
    with device.agent() as second:  # has the lock only when the watchdog is through
        while True:
            second.ask("collect", keep=9, data=False)
            if "result" in second.read():
                break

    assert uses(device) == [NEW.digest, OLD.digest, "gone back"]


def test_host_that_goes_during_a_health_command_leaves_the_old_release(device: TrialDevice) -> None:
    install(device, "slow", "#!/bin/sh\ntouch $EDGEKIT_ROOT/../began\nexec sleep 1000\n")
    with device.agent() as agent:
        for data in NEW.files:
            agent.stage(data)
        agent.ask("activate", manifest=NEW.manifest, expect=None, health=["slow"], health_s=2)
        while agent.read().get("phase") != "health":
            pass
        assert agent.end()[0] == 0

    assert device.current() == OLD.digest


@pytest.mark.parametrize("name", ["absent", "../../bin/true", "/bin/true", "a b", "", "-x", "x" * 65])
def test_host_cannot_choose_a_program(agent: AgentProcess, device: TrialDevice, name: str) -> None:
    install(device, "check", "#!/bin/sh\n")

    with pytest.raises(RefusedError) as refused:
        agent.request("activate", manifest=NEW.manifest, expect=None, health=[name])

    assert refused.value.code == "E_INPUT"
    assert device.current() == OLD.digest


@pytest.mark.parametrize("fault", ["others can write it", "others can write the folder", "link", "no program"])
def test_command_that_may_not_be_the_owners_is_refused(
    agent: AgentProcess, device: TrialDevice, tmp_path: Path, fault: str
) -> None:
    install(device, "check", "#!/bin/sh\n", mode={"others can write it": 0o757, "no program": 0o644}.get(fault, 0o755))
    if fault == "others can write the folder":
        (device.root / "health").chmod(0o777)
    if fault == "link":
        (device.root / "health" / "check").rename(tmp_path / "elsewhere")
        (device.root / "health" / "check").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(RefusedError) as refused:
        agent.request("activate", manifest=NEW.manifest, expect=None, health=["check"])

    assert refused.value.code in ("E_VERIFY", "E_INPUT")
    assert device.current() == OLD.digest
