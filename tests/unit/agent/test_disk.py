"""Disks that are full, small, read-only or forgetful."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a tmpfs")

MIB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 2 MiB, as small a disk as a router has."""
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=100,mode=700", "none", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)


def used(disk: Path) -> int:
    facts = os.statvfs(disk)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def test_small_disk_takes_a_release(disk: Path) -> None:
    release = fake_release()
    with AgentProcess(disk / "root").boot() as agent:
        assert agent.deploy(release)["active"] == release.digest


def test_upload_that_does_not_fit_is_refused_with_need_and_free(disk: Path) -> None:
    with AgentProcess(disk / "root").boot() as agent:
        release = fake_release()
        agent.deploy(release)
        before = used(disk)

        with pytest.raises(RefusedError) as refused:
            agent.stage(bytes(2 * MIB))

        assert refused.value.code == "E_STORAGE"
        assert refused.value.details["errno"] == "ENOSPC"
        assert refused.value.details["need_bytes"] > refused.value.details["free_bytes"]
        assert re.search(r": \d\.\d MiB are needed, \d\.\d MiB are free$", str(refused.value))
        assert used(disk) == before
        assert agent.request("activate", manifest=release.manifest, expect=None)["unchanged"]


def test_disk_that_fills_up_during_an_upload_gives_the_space_back(disk: Path) -> None:
    data = os.urandom(MIB)
    with AgentProcess(disk / "root").boot() as agent:
        agent.stage(b"makes the folders")
        before = used(disk)
        hog = disk / "hog"

        def fill_and_send(offset: int) -> None:
            hog.write_bytes(bytes(MIB))
            agent.send_frames(data)

        with pytest.raises(RefusedError) as refused:
            agent.request("stage", sha256="0" * 64, size=len(data), on_ready=fill_and_send)

        assert refused.value.code == "E_STORAGE"
        hog.unlink()
        assert used(disk) == before
        agent.stage(data)


def test_disk_without_inodes_is_refused_before_the_first_write(disk: Path) -> None:
    with AgentProcess(disk / "root").boot() as agent:
        agent.stage(b"makes the folders")
        for number in range(100):
            try:
                (disk / str(number)).touch()
            except OSError:
                break

        with pytest.raises(RefusedError) as refused:
            agent.stage(b"one more")

    assert refused.value.code == "E_STORAGE"


def test_disk_that_turned_read_only_still_answers(disk: Path) -> None:
    release = fake_release()
    with AgentProcess(disk / "root").boot() as agent:
        agent.deploy(release)
        data = agent.stage(bytes(16))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    with AgentProcess(disk / "root").boot() as agent:
        status = agent.request("status")
        probe = agent.request("probe", runtimes=["fake"])
        inference = agent.request(
            "infer",
            artifact={"release": "active"},
            inputs=[{"blob": data, "shape": [1, 4], "dtype": "float32"}],
            options={},
        )
        with pytest.raises(RefusedError) as refused:
            agent.stage(b"something new")

    assert status["active"] == release.digest
    assert any("read-only" in warning for warning in status["warnings"])
    assert probe["runtimes"]["fake"]["ok"]
    assert inference["child"]["exit"] == "ok"
    assert refused.value.code == "E_STORAGE"
    assert refused.value.details["errno"] == "EROFS"


def test_root_in_memory_is_reported_as_not_durable(disk: Path) -> None:
    with AgentProcess(disk / "root").boot() as agent:
        status = agent.request("status")

    assert status["durable"] is False
    assert any("tmpfs" in warning for warning in status["warnings"])
