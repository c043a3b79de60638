"""The bootstrap as a file: the forced command of a key that may start the installed agent and nothing else."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edgekit.device.agent_build import agent_digest, bootstrap_source, build_agent, installer_source
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, sha256

GREETING = json.dumps({"sha256": agent_digest(), "size": len(build_agent())}).encode() + b"\n"


def install(folder: Path, root: Path, **changes: Any) -> dict[str, Any]:
    """What the installer answers to the order to write a launcher's folder."""
    order = {
        "do": "place",
        "folder": str(folder),
        "launcher": bootstrap_source(),
        "sha256": agent_digest(),
        "agent": base64.b64encode(build_agent()).decode(),
        "settings": {"root": str(root), "allow_root": True},
        **changes,
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", installer_source()],
        input=json.dumps(order).encode() + b"\n",
        capture_output=True,
        timeout=60,
        check=True,
    )
    marker, _, answer = done.stdout.partition(b" ")
    assert marker == b"EDGEKIT-HARDEN/1"
    return json.loads(answer)


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """The installed launcher; its ROOT is tmp_path/root."""
    assert install(tmp_path / "opt" / "pi", tmp_path / "root") == {}
    return tmp_path / "opt" / "pi" / "launch.py"


def run(launcher: Path, **environment: str) -> AgentProcess:
    return AgentProcess(Path("/nowhere"), wrap=[sys.executable, "-I", str(launcher)], env=environment)


def refusal(launcher: Path, first_line: bytes = GREETING) -> tuple[bytes, int, str]:
    process = run(launcher)
    with suppress(BrokenPipeError):  # it may be gone before it was asked
        process.write(first_line)
    answer = process.boot_answer()
    return answer, *process.end()


def test_launcher_starts_the_installed_agent(launcher: Path, tmp_path: Path):
    release = fake_release()

    with run(launcher).boot() as agent:
        hello = agent.request("hello", protocol=[1])
        assert (hello["confined"], hello["root"]) == (True, str(tmp_path / "root"))
        assert agent.deploy(release)["active"] == release.digest

    assert not (tmp_path / "root" / "agents").exists() or not list((tmp_path / "root" / "agents").iterdir())


def test_launcher_uses_the_bytecode_that_the_installer_left(launcher: Path):
    names = sorted(path.name for path in (launcher.parent / "agents").iterdir())

    assert names == [f"{agent_digest()}.pyz", f"{agent_digest()}.pyz.{sys.implementation.cache_tag}"]


def test_launcher_takes_no_other_agent(launcher: Path):
    other = json.dumps({"sha256": "0" * 64, "size": 5}).encode() + b"\nhello"

    answer, status, words = refusal(launcher, other)

    assert (answer, status) == (b"", 77)
    assert words.count("\n") == 1
    assert "000000000000" in words


def test_launcher_starts_no_damaged_agent(launcher: Path):
    (launcher.parent / "agents" / f"{agent_digest()}.pyz").write_bytes(build_agent() + b"x")

    assert refusal(launcher)[:2] == (b"", 77)


@pytest.mark.parametrize("place", [".", "agents"])
def test_launcher_does_not_trust_a_folder_that_others_can_write_in(launcher: Path, place: str):
    (launcher.parent / place).chmod(0o777)

    answer, status, words = refusal(launcher)

    assert (answer, status, "write" in words) == (b"", 78, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_launcher_does_not_trust_a_folder_of_another_user(launcher: Path):
    os.chown(launcher.parent / "agents", 12345, 12345)

    assert refusal(launcher)[:2] == (b"", 78)


@pytest.mark.parametrize("text", ["", "{}"])
def test_launcher_without_settings_says_so(launcher: Path, text: str):
    (launcher.parent / "settings.json").write_text(text)

    answer, status, words = refusal(launcher)

    assert (answer, status, "devices harden" in words) == (b"", 78, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_launcher_does_not_serve_root_unless_its_owner_wants_that(tmp_path: Path):
    install(
        tmp_path / "opt" / "root", tmp_path / "root", settings={"root": str(tmp_path / "root"), "allow_root": False}
    )

    answer, status, words = refusal(tmp_path / "opt" / "root" / "launch.py")

    assert (answer, status, "root" in words) == (b"", 77, True)


def test_launcher_listens_to_no_variable_that_a_client_may_set(launcher: Path, tmp_path: Path):
    (tmp_path / "runners").mkdir()
    (tmp_path / "runners" / "evil.py").write_text("FORMATS = ()\n")

    with run(launcher, EDGEKIT_ROOT="/elsewhere", EDGEKIT_RUNNERS=str(tmp_path / "runners")).boot() as agent:
        assert agent.request("hello", protocol=[1])["root"] == str(tmp_path / "root")
        assert not agent.request("probe", runtimes=["evil"])["runtimes"]["evil"]["ok"]


def runtime_bundle() -> tuple[bytes, str]:
    """A wheel, and the manifest of a runtime bundle that holds it."""
    wheel = b"PK\x05\x06" + bytes(18)
    files = {"x-1-py3-none-any.whl": {"sha256": sha256(wheel), "size": len(wheel)}}
    return wheel, fake_release(
        kind="runtime", runtime="fake", files=files, model=None, format=None, golden=None, counter=0
    ).manifest


def test_confined_agent_installs_no_unsigned_runtime(launcher: Path):
    wheel, manifest = runtime_bundle()
    with run(launcher).boot() as agent:
        agent.stage(wheel)
        with pytest.raises(RefusedError) as refused:
            agent.request("activate", manifest=manifest, expect=None)

    assert refused.value.code == "E_TRUST"


def test_agent_with_a_shell_installs_an_unsigned_runtime(root: Path):
    """The counterpart: nothing but the key is in the way."""
    wheel, manifest = runtime_bundle()
    with AgentProcess(root).boot() as agent:
        agent.stage(wheel)

        assert agent.request("activate", manifest=manifest, expect=None)["unchanged"] is False


def test_confined_agent_learns_whom_to_trust_from_nobody(launcher: Path):
    with run(launcher).boot() as agent, pytest.raises(RefusedError) as refused:
        agent.request("trust", policy="{}", envelope="{}")

    assert refused.value.code == "E_TRUST"


def test_installer_replaces_an_agent_of_another_version(launcher: Path, tmp_path: Path):
    old = build_agent() + b"\n"

    install(launcher.parent, tmp_path / "root", sha256=sha256(old), agent=base64.b64encode(old).decode())
    before = [path.name for path in (launcher.parent / "agents").iterdir()]
    install(launcher.parent, tmp_path / "root")

    assert [name for name in before if name.endswith(".pyz")] == [f"{sha256(old)}.pyz"]
    assert f"{agent_digest()}.pyz" in [path.name for path in (launcher.parent / "agents").iterdir()]
    assert len(list((launcher.parent / "agents").glob("*.pyz"))) == 1


def test_installer_refuses_a_damaged_agent(launcher: Path, tmp_path: Path):
    answer = install(launcher.parent, tmp_path / "root", sha256="0" * 64)

    assert "damaged" in answer["error"]


def test_installer_writes_in_no_folder_that_others_can_change(tmp_path: Path):
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt").chmod(0o777)

    answer = install(tmp_path / "opt" / "pi", tmp_path / "root")

    assert "others can write" in answer["error"]
    assert not (tmp_path / "opt" / "pi").exists()
