"""The way back, and the broom."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, Release, fake_release, sha256


def deploy_many(agent: AgentProcess, count: int) -> list[Release]:
    releases = [fake_release(float(number), counter=number) for number in range(1, count + 1)]
    for release in releases:
        agent.deploy(release)
    return releases


def test_rollback_goes_to_previous_and_back(agent: AgentProcess, root: Path) -> None:
    first, second = deploy_many(agent, 2)

    there = agent.request("rollback", to=None)
    back = agent.request("rollback", to=None)

    assert there == {"active": first.digest, "previous": second.digest}
    assert back == {"active": second.digest, "previous": first.digest}
    assert (root / "current").readlink() == Path("releases", f"{second.digest}.json")


def test_rollback_goes_to_any_release_that_was_active(agent: AgentProcess) -> None:
    first, _, third = deploy_many(agent, 3)

    assert agent.request("rollback", to=first.digest) == {"active": first.digest, "previous": third.digest}
    assert agent.request("status")["counter"] == 3, "the floor stays"


def test_rollback_to_the_active_release_changes_nothing(agent: AgentProcess) -> None:
    first, second = deploy_many(agent, 2)

    assert agent.request("rollback", to=second.digest) == {"active": second.digest, "previous": first.digest}


def test_rollback_is_refused_when_there_is_nothing_to_go_back_to(agent: AgentProcess) -> None:
    (only,) = deploy_many(agent, 1)

    for to in (None, "0" * 64):
        with pytest.raises(RefusedError) as refused:
            agent.request("rollback", to=to)
        assert refused.value.code == "E_INPUT"
    assert agent.request("status")["active"] == only.digest


def test_rollback_is_refused_when_the_old_files_are_damaged(agent: AgentProcess, root: Path) -> None:
    first, second = deploy_many(agent, 2)
    blob = root / "blobs" / sha256(first.files[0])
    blob.chmod(0o600)
    blob.write_bytes(b"rot")

    with pytest.raises(RefusedError) as refused:
        agent.request("rollback", to=None)

    assert refused.value.code == "E_VERIFY"
    assert agent.request("status")["active"] == second.digest


def test_collect_keeps_active_previous_and_the_newest(agent: AgentProcess, root: Path) -> None:
    releases = deploy_many(agent, 5)
    data = agent.stage(b"a data set")

    result = agent.request("collect", keep=3, data=False)

    assert result["removed"] == sorted(release.digest for release in releases[:2])
    assert result["freed_bytes"] > 0
    assert agent.request("status")["releases"] == [release.digest for release in reversed(releases[2:])]
    assert (root / "blobs" / data).exists()
    assert not (root / "blobs" / sha256(releases[0].files[0])).exists()
    assert (root / "blobs" / sha256(releases[4].files[0])).exists()
    assert (root / "blobs" / sha256(releases[0].files[1])).exists(), "shared with those that stay"


def test_collect_of_nothing_keeps_what_is_needed_to_go_back(agent: AgentProcess) -> None:
    _, second, third = deploy_many(agent, 3)

    agent.request("collect", keep=0, data=True)

    assert agent.request("rollback", to=None) == {"active": second.digest, "previous": third.digest}


def test_collect_removes_data_and_unfinished_uploads_when_told(agent: AgentProcess, root: Path) -> None:
    (release,) = deploy_many(agent, 1)
    data = agent.stage(b"a data set")
    (root / "blobs" / "README").write_text("not ours")
    with pytest.raises(RefusedError):
        agent.request("stage", sha256="0" * 64, size=10, on_ready=lambda at: agent.send_frames(b"half"))

    agent.request("collect", keep=1, data=True)

    assert not (root / "blobs" / data).exists()
    assert list((root / "incoming").iterdir()) == []
    assert (root / "blobs" / "README").exists()
    assert agent.request("activate", manifest=release.manifest, expect=None)["unchanged"]
