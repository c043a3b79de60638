"""Disks and root folders of devices in a bad state (catalogue 98-102), with the exit code of the command."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device_agents.linux.storage import file_system
from edgekit.selftest.lab.agent_process import AgentProcess

HOST = ("--target", "host")
LOCAL = ("--device", "local://")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and give folders away")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system below the test's folder; it goes with the test."""
    mounted: list[Path] = []

    def make(kind: str, options: str) -> Path:
        folder = tmp_path / f"{kind}{len(mounted)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", kind, "-o", options, "none", str(folder)], check=True, timeout=30)
        mounted.append(folder)
        return folder

    yield make
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


@pytest.fixture
def small_disk(mount, device, monkeypatch) -> Path:
    """A disk of 2 MiB and 200 inodes that holds the root folder of `local://`, with the bundle active."""
    disk: Path = mount("tmpfs", "size=2m,nr_inodes=200,mode=700")
    subprocess.run(["cp", "-a", str(device), str(disk / "root")], check=True, timeout=30)
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(disk / "root"))
    return disk


@pytest.fixture
def deploy_another(edgekit):
    """Deploys another release than the active one."""

    def deploy(url: str = "local://"):
        return edgekit("deploy", "dense.tflite", *HOST, "--recipe", "as_is", "--device", url, "--no-profile")

    return deploy


def active(root: Path) -> str:
    return (root / "current").readlink().stem


def fill(folder: Path) -> None:
    with (folder / "hog").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def test_98_other_release_is_deployed_when_nothing_is_wrong(deploy_another, device):
    """The counterpart of what follows."""
    before = active(device)

    assert deploy_another().code == 0
    assert active(device) != before


@as_root
def test_98_full_disk_is_8_and_the_old_release_stays(deploy_another, small_disk):
    before = active(small_disk / "root")
    fill(small_disk)

    ended = deploy_another()

    assert (ended.code, "are free" in ended.message) == (8, True)
    assert active(small_disk / "root") == before


@as_root
def test_98_full_disk_of_a_new_device_is_8(deploy_another, mount, monkeypatch):
    disk = mount("tmpfs", "size=64k,mode=700")
    fill(disk)
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(disk / "root"))

    assert deploy_another().code == 8


@as_root
def test_98_disk_without_inodes_is_8(deploy_another, small_disk):
    for number in range(200):
        try:
            (small_disk / str(number)).touch()
        except OSError:
            break

    ended = deploy_another()

    assert (ended.code, "inodes" in ended.message) == (8, True)


@as_root
def test_98_read_only_disk_is_8_and_still_tells_its_state(edgekit, deploy_another, small_disk):
    before = active(small_disk / "root")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, timeout=30)

    ended, status = deploy_another(), edgekit("status", *LOCAL)

    assert (ended.code, "Read-only" in ended.message) == (8, True)
    assert (status.code, status.document["active"]) == (0, before)
    assert any("read-only" in warning for warning in status.document["warnings"])


@pytest.mark.parametrize("errno", ["EIO", "EDQUOT", "ENOSPC", "EROFS"])
def test_98_disk_that_refuses_is_8_and_the_old_release_stays(deploy_another, device, agent_below, errno):
    before = active(device)

    ended = deploy_another(agent_below(f"inject=fsync:error={errno}:when=1+"))

    assert (ended.code, ended.document["error"]["details"]["errno"]) == (8, errno)
    assert active(device) == before


@as_root
def test_98_folders_without_execution_do_not_matter(edgekit, bundle, mount, monkeypatch):
    disk = mount("tmpfs", "size=16m,noexec,mode=700")
    (disk / "tmp").mkdir()
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(disk / "root"))
    monkeypatch.setenv("TMPDIR", str(disk / "tmp"))

    assert edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile").code == 0


@as_root
@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_98_disk_that_forgets_is_told(edgekit, bundle, mount, monkeypatch, kind):
    disk = mount("tmpfs", "size=16m,mode=700")
    if kind == "overlay":
        for name in ("lower", "upper", "work"):
            (disk / name).mkdir()
        disk = mount("overlay", f"lowerdir={disk}/lower,upperdir={disk}/upper,workdir={disk}/work")
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(disk / "root"))
    assert edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile").code == 0

    status = edgekit("status", *LOCAL)

    assert (status.code, status.document["durable"]) == (0, False)
    assert any(f"{kind}" in warning and "reboot" in warning for warning in status.document["warnings"])


def dangling(link: Path) -> None:
    link.symlink_to("nowhere")


def elsewhere(link: Path) -> None:
    link.symlink_to("/etc/passwd")


def nothing(_link: Path) -> None:
    """Leaves no link."""


@pytest.mark.parametrize("damage", [nothing, dangling, elsewhere])
def test_99_current_that_is_lost_is_told_and_mended(edgekit, bundle, device, damage):
    before = active(device)
    (device / "current").unlink()
    damage(device / "current")

    told = edgekit("status", *LOCAL)
    mended = edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile")

    assert (told.code, told.document["active"]) == (0, before)
    assert told.document["warnings"]
    assert (mended.code, active(device)) == (0, before)
    assert edgekit("status", *LOCAL).document["warnings"] == []


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_99_thing_in_the_place_of_current_is_8_and_stays(edgekit, deploy_another, device, make):
    (device / "current").unlink()
    make(device / "current")

    ended, status = deploy_another(), edgekit("status", *LOCAL)

    assert (ended.code, str(device / "current") in ended.message) == (8, True)
    assert not (device / "current").is_symlink()
    assert (device / "current").exists()
    assert any("current is not a link" in warning for warning in status.document["warnings"])


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 300, b"[]", None])
def test_99_state_that_is_damaged_is_told_and_read_from_the_links(edgekit, device, content):
    before = active(device)
    (device / "state.json").unlink()
    if content is not None:
        (device / "state.json").write_bytes(content)

    status = edgekit("status", *LOCAL)

    assert (status.code, status.document["active"]) == (0, before)
    assert any("state.json" in warning for warning in status.document["warnings"])


def test_99_state_of_a_newer_edgekit_is_3_and_left_alone(edgekit, device):
    newer = json.dumps({"schema": "edgekit.state/2"}).encode()
    (device / "state.json").write_bytes(newer)

    ended = edgekit("status", *LOCAL)

    assert (ended.code, "newer edgekit" in ended.message) == (3, True)
    assert (device / "state.json").read_bytes() == newer


def test_99_flipped_bit_in_the_active_model_is_4_and_mended_by_the_next_deploy(edgekit, bundle, device):
    manifest = json.loads((device / "current").read_text())
    blob = device / "blobs" / manifest["files"][manifest["model"]]["sha256"]
    content = bytearray(blob.read_bytes())
    content[-5] ^= 4
    blob.chmod(0o600)
    blob.write_bytes(content)
    profile = ("profile", *LOCAL, "--mode", "brief", "--num-runs", "1", "--processes", "1", "--min-seconds", "0")

    ended = edgekit(*profile)

    assert (ended.code, "damaged" in ended.message) == (4, True)
    assert edgekit("deploy", bundle, *HOST, *LOCAL, "--no-profile").code == 0
    assert blob.read_bytes() != content


def test_99_foreign_files_stay(deploy_another, edgekit, device):
    (device / "notes.txt").write_text("mine")
    (device / "blobs" / "README").write_text("mine")

    ended = [deploy_another(), edgekit("devices", "collect", "local", "--keep", "0", "--data")]

    assert [one.code for one in ended] == [0, 0]
    assert (device / "notes.txt").read_text() == (device / "blobs" / "README").read_text() == "mine"


def test_99_root_that_is_a_link_is_14(edgekit, device, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(device)
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(tmp_path / "link"))

    ended = edgekit("status", *LOCAL)

    assert (ended.code, "link" in ended.message) == (14, True)


@as_root
def test_99_root_of_another_user_is_14(edgekit, device):
    os.chown(device, 12345, 12345)

    ended = edgekit("status", *LOCAL)

    assert (ended.code, "12345" in ended.message) == (14, True)


def hold(agent: AgentProcess) -> None:
    """Make the agent wait for a payload, with the lock in its hand."""
    agent.ask("stage", sha256="0" * 64, size=5)
    assert agent.read()["event"] == "ready"


def test_100_lock_of_a_living_agent_is_9_and_names_it(deploy_another, device):
    before = active(device)
    with AgentProcess(device).boot() as holder:
        hold(holder)

        ended = deploy_another()

        assert (ended.code, ended.document["error"]["details"]["pid"]) == (9, holder.process.pid)
    assert active(device) == before


@pytest.mark.parametrize("boot", ["this boot", "another boot"])
def test_100_lock_of_a_dead_agent_is_taken_over(deploy_another, device, boot):
    before = active(device)
    with AgentProcess(device).boot() as holder:
        hold(holder)
        holder.kill()
    if boot == "another boot":
        (device / "lock").write_text(json.dumps({"pid": 1, "boot_id": "an earlier one", "since": 0.0}))

    assert deploy_another().code == 0
    assert active(device) != before


def test_101_cut_upload_of_another_artifact_is_collected(edgekit, device):
    with AgentProcess(device).boot() as agent:
        hold(agent)
        agent.kill()
    part = device / "incoming" / f"{'1' * 64}.part"
    part.write_bytes(b"half of it")
    assert [path.name for path in (device / "incoming").glob("0*.part")]

    ended = edgekit("devices", "collect", "local", "--data")

    assert ended.code == 0
    assert list((device / "incoming").iterdir()) == []


@pytest.mark.parametrize("name", ["EPERM", "EOPNOTSUPP"])
def test_102_disk_without_links_is_3_and_nothing_changes(deploy_another, device, agent_below, name):
    """As on vfat, whose driver answers EPERM to every symbolic link."""
    before = active(device)

    ended = deploy_another(agent_below(f"inject=symlink,symlinkat:error={name}"))

    details = ended.document["error"]["details"]
    assert (ended.code, details["errno"]) == (3, errno.errorcode[getattr(errno, name)])
    assert details["file_system"] == file_system(str(device))
    assert details["file_system"] in ended.message
    assert str(device / "previous") in ended.message
    assert active(device) == before
    assert not (device / "previous").exists()
