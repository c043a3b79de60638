"""Releases that stay, and releases that are not taken again."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release


def deploy_many(agent: AgentProcess, count: int) -> list[Release]:
    releases = [fake_release(float(number)) for number in range(1, count + 1)]
    for release in releases:
        agent.deploy(release)
    return releases


def test_pinned_release_survives_a_clean_up_and_can_be_gone_back_to(agent: AgentProcess) -> None:
    first, second, _, _ = deploy_many(agent, 4)

    assert agent.request("pin", digest=first.digest, pinned=True) == {"pinned": [first.digest]}
    removed = agent.request("collect", keep=1, data=True)["removed"]

    assert removed == [second.digest]
    assert agent.request("status")["pinned"] == [first.digest]
    assert agent.request("rollback", to=first.digest)["active"] == first.digest


def test_unpinned_release_is_collected(agent: AgentProcess) -> None:
    first, *_ = deploy_many(agent, 3)
    agent.request("pin", digest=first.digest, pinned=True)

    assert agent.request("pin", digest=first.digest, pinned=False) == {"pinned": []}

    assert agent.request("collect", keep=1, data=False)["removed"] == [first.digest]


def test_pin_of_what_was_never_active_is_refused(agent: AgentProcess) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.request("pin", digest="0" * 64, pinned=True)

    assert refused.value.code == "E_INPUT"


def test_failed_release_is_not_taken_again_by_itself(agent: AgentProcess) -> None:
    bad = fake_release(2.0, golden_scale=3.0)
    with pytest.raises(RefusedError) as first:
        agent.deploy(bad)
    with pytest.raises(RefusedError, match="golden") as second:
        agent.deploy(bad)
    with pytest.raises(RefusedError) as third:
        agent.request("activate", manifest=bad.manifest, expect=None, retry=True)

    assert (first.value.code, second.value.code, third.value.code) == ("E_VERIFY", "E_ROLLED_BACK", "E_VERIFY")
    assert second.value.details["failed"] == bad.digest


def test_release_that_the_device_cannot_run_yet_is_no_failure(agent: AgentProcess) -> None:
    with pytest.raises(RefusedError) as refused:
        agent.deploy(fake_release(model_fields={"load": "ok"}, runtime="abacus"))

    assert refused.value.code == "E_UNSUPPORTED"
    assert agent.request("status")["failed"] == {}


def test_release_whose_activation_is_cut_off_three_times_counts_as_failed(root: Path) -> None:
    release = fake_release()
    for tries in (1, 2, 3):
        with AgentProcess(root).boot() as agent:
            for data in release.files:
                agent.stage(data)
            agent.ask("activate", manifest=release.manifest, expect=None)
            while agent.read().get("phase") != "golden":
                pass
            agent.process.send_signal(signal.SIGKILL)
        assert json.loads((root / "state.json").read_text())["pending"]["tries"] == tries

    with AgentProcess(root).boot() as agent:
        with pytest.raises(RefusedError, match="cut off 3 times"):
            agent.request("activate", manifest=release.manifest, expect=None)
        assert agent.request("activate", manifest=release.manifest, expect=None, retry=True)["active"] == release.digest
    assert not (root / "tries.json").exists()


def test_activation_that_a_host_gives_up_is_not_counted(root: Path) -> None:
    release = fake_release()
    with AgentProcess(root).boot() as agent:
        for data in release.files:
            agent.stage(data)
        agent.ask("activate", manifest=release.manifest, expect=None)
        while agent.read().get("phase") != "golden":
            pass
        agent.end()

    assert json.loads((root / "state.json").read_text())["pending"] is None
    assert not (root / "tries.json").exists()
