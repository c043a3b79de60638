"""SIGKILL at a sample of the system calls of an activation: old or new, never in between, and the next try converges.

The exhaustive matrix (every call, every scenario, every errno) belongs to the promise tests.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, sha256

OLD, NEW = fake_release(1.0), fake_release(2.0, counter=2)

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def strace(*expressions: str) -> list[str]:
    # Without -f only the agent itself is traced, not the children that run the model.
    return ["strace", "-o", "/dev/null", *(part for one in expressions for part in ("-e", one))]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device with OLD active and the files of NEW staged."""
    root = tmp_path_factory.mktemp("template") / "root"
    with AgentProcess(root).boot() as agent:
        agent.deploy(OLD)
        for data in NEW.files:
            agent.stage(data)
    return root


@pytest.fixture
def device(template: Path, root: Path) -> Path:
    shutil.copytree(template, root, symlinks=True)
    return root


def active(root: Path) -> str:
    """What a reader that follows `current` finds, which must be whole."""
    release = {OLD.digest: OLD, NEW.digest: NEW}[(root / "current").readlink().stem]
    assert (root / "current").read_text() == release.manifest
    return release.digest


def leftovers(root: Path) -> list[str]:
    return [str(path) for path in root.rglob("*") if path.name.startswith(".tmp-") or path.parent.name == "incoming"]


# The calls of one activation that change ROOT: fsyncs of three folders (1 to 3), of the manifest and its folder (4, 5),
# of state.json pending (6, 7) and committed (8, 9), of floor.json raised (10, 11); renames: manifest, state, previous,
# current, state, floor.
POINTS = [
    *(("fsync", when) for when in (1, 4, 5, 6, 7, 8, 9, 10, 11)),
    *(("rename", when) for when in (2, 3, 4, 6)),
    ("symlink", 2),
]


@pytest.mark.parametrize(("call", "when"), POINTS)
def test_activation_that_is_killed_leaves_old_or_new_and_converges(device: Path, call: str, when: int) -> None:
    agent = AgentProcess(device, wrap=strace(f"inject={call}:signal=KILL:when={when}"))
    with agent.boot():
        agent.ask("activate", manifest=NEW.manifest, expect=None)
        while (line := agent.stdout.readline()) and b'"event"' in line:
            pass

    assert line == b"", "it was killed before it could acknowledge"
    assert active(device) in (OLD.digest, NEW.digest)
    with AgentProcess(device).boot() as second:
        assert second.request("status")["locked_by"] is None
        assert second.request("activate", manifest=NEW.manifest, expect=None)["active"] == NEW.digest
        status = second.request("status")
    assert active(device) == NEW.digest
    assert (status["pending"], status["previous"], status["counter"]) == (None, OLD.digest, 2)
    assert status["warnings"] == []
    assert leftovers(device) == []


@pytest.mark.parametrize(("call", "when"), [("rename", 4), ("fsync", 8), ("rename", 5)])
def test_recovery_goes_back_to_what_was_acknowledged(device: Path, call: str, when: int) -> None:
    agent = AgentProcess(device, wrap=strace(f"inject={call}:signal=KILL:when={when}"))
    with agent.boot():
        agent.ask("activate", manifest=NEW.manifest, expect=None)
        while agent.stdout.readline():
            pass

    with AgentProcess(device).boot() as second:
        assert second.request("status")["active"] == OLD.digest
        second.request("collect", keep=9, data=False)

    assert active(device) == OLD.digest
    assert not os.path.lexists(device / "previous")


@pytest.mark.parametrize(("call", "when", "floor"), [("fsync", 8, 1), ("fsync", 10, 2), ("rename", 6, 2)])
def test_floor_rises_with_the_commit_and_no_kill_separates_them(device: Path, call: str, when: int, floor: int) -> None:
    agent = AgentProcess(device, wrap=strace(f"inject={call}:signal=KILL:when={when}"))
    with agent.boot():
        agent.ask("activate", manifest=NEW.manifest, expect=None)
        while agent.stdout.readline():
            pass

    with AgentProcess(device).boot() as second:
        second.request("collect", keep=9, data=False)
        assert second.request("status")["counter"] == floor
        (device / "state.json").unlink()
        assert second.request("status")["counter"] == floor


@pytest.mark.parametrize(("call", "when"), [("fsync", 1), ("fsync", 4), ("fsync", 6), ("fsync", 8), ("symlink", 2)])
def test_activation_that_the_disk_refuses_is_undone(device: Path, call: str, when: int) -> None:
    errno = "ENOSPC" if call == "symlink" else "EIO"
    with AgentProcess(device, wrap=strace(f"inject={call}:error={errno}:when={when}")).boot() as agent:
        with pytest.raises(RefusedError) as refused:
            agent.request("activate", manifest=NEW.manifest, expect=None)

        assert refused.value.code == "E_STORAGE"
        assert refused.value.details["errno"] == errno
        assert refused.value.details["path"].startswith(str(device))
        assert active(device) == OLD.digest
        assert leftovers(device) == []
        assert agent.request("status")["pending"] is None
        assert agent.request("activate", manifest=NEW.manifest, expect=None)["active"] == NEW.digest


@pytest.mark.parametrize(("call", "when"), [("fsync", 1), ("rename", 1), ("unlink", 1)])
def test_stage_that_is_killed_converges(root: Path, call: str, when: int) -> None:
    data = os.urandom(1000)
    with AgentProcess(root).boot() as agent:
        agent.stage(b"makes the folders")
    agent = AgentProcess(root, wrap=strace(f"inject={call}:signal=KILL:when={when}"))
    with agent.boot():
        agent.ask("stage", sha256=(digest := sha256(data)), size=len(data))
        agent.read()
        agent.send_frames(data)
        assert agent.stdout.readline() == b""

    with AgentProcess(root).boot() as second:
        second.stage(data)

    assert (root / "blobs" / digest).read_bytes() == data
    assert leftovers(root) == []


def test_fsync_of_an_upload_that_fails_gives_the_space_back_and_the_next_try_is_a_new_file(root: Path) -> None:
    data = os.urandom(200_000)
    with AgentProcess(root, wrap=strace("inject=fsync:error=EIO:when=6")).boot() as agent:
        agent.stage(b"makes the folders")  # fsyncs: the folder of ROOT, ROOT, the pushed agent and its folder, the blob
        with pytest.raises(RefusedError) as refused:
            agent.stage(data)

        assert refused.value.code == "E_STORAGE"
        assert leftovers(root) == []
        agent.stage(data)
        assert agent.staged["sent"] == len(data)


def test_upload_does_without_an_early_start_of_the_disk(root: Path) -> None:
    data = bytes(3 * 1024 * 1024)
    with AgentProcess(root, wrap=strace("inject=fadvise64:error=EINVAL")).boot() as agent:
        digest = agent.stage(data)

    assert (root / "blobs" / digest).read_bytes() == data


def test_upload_with_wrong_bytes_is_dropped_before_the_disk_has_to_sync_it(root: Path) -> None:
    with AgentProcess(root).boot() as agent:
        agent.stage(b"makes the folders")
    failing = AgentProcess(root, wrap=strace("inject=fsync:error=EIO:when=1+"))

    with failing.boot() as agent, pytest.raises(RefusedError) as refused:
        agent.request("stage", sha256="0" * 64, size=4, on_ready=lambda at: agent.send_frames(b"else"))

    assert refused.value.code == "E_VERIFY"
    assert leftovers(root) == []
