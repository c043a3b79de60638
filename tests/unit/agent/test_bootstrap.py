"""The program that brings the agent: what it takes, and where it refuses to work."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from device_agents.linux import protocol
from edgekit.device.agent_build import agent_digest, bootstrap_source, build_agent
from edgekit.selftest.lab.agent_process import AgentProcess, fake_release

PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"


def python(version: str) -> str:
    found = sorted(PYENV.glob(f"{version}.*/bin/python3"))
    if not found:
        pytest.skip(f"no Python {version} here")
    return str(found[-1])


def refusal(root: Path) -> tuple[int, str]:
    process = AgentProcess(root)
    assert process.boot_answer() == b""
    return process.end()


def test_bootstrap_asks_for_the_agent_once(root: Path) -> None:
    greeting = json.dumps({"sha256": agent_digest(), "size": len(build_agent())}).encode() + b"\n"
    answers = []
    for _ in range(2):
        with AgentProcess(root) as process:
            process.write(greeting)
            answers.append(process.boot_answer())
            if answers[-1] == b"EDGEKIT-BOOT/1 need\n":
                process.write(build_agent())
            assert process.stdout.readline() == protocol.MAGIC

    assert answers == [b"EDGEKIT-BOOT/1 need\n", b"EDGEKIT-BOOT/1 have\n"]
    assert [path.name for path in (root / "agents").glob("*.pyz")] == [f"{agent_digest()}.pyz"]
    assert root.stat().st_mode & 0o777 == 0o700


def test_bootstrap_asks_again_when_the_stored_agent_is_damaged(root: Path) -> None:
    with AgentProcess(root).boot():
        pass
    stored = root / "agents" / f"{agent_digest()}.pyz"
    stored.write_bytes(build_agent()[:-1])

    with AgentProcess(root).boot() as agent:
        assert agent.request("hello", protocol=[1])["agent"] == agent_digest()

    assert stored.read_bytes() == build_agent()


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\n",
        b'{"sha256": "../../../tmp/x", "size": 5}\n',
        b'{"sha256": 5, "size": 5}\n',
        b'{"size": 5}\n',
        json.dumps({"sha256": "0" * 64, "size": 2**40}).encode() + b"\n",
        json.dumps({"sha256": "0" * 64, "size": 5}).encode() + b"\nwrong",
        b"x" * 10_000,
        b"",
    ],
    ids=["http", "path", "number", "no digest", "huge", "other bytes", "long", "nothing"],
)
def test_bootstrap_runs_nothing_but_the_announced_agent(root: Path, line: bytes) -> None:
    answer = subprocess.run(
        [sys.executable, "-I", "-c", bootstrap_source()],
        input=line,
        env={**os.environ, "EDGEKIT_ROOT": str(root)},
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert answer.returncode == 65
    assert answer.stderr.startswith(b"edgekit: ")
    assert answer.stderr.count(b"\n") == 1
    assert list((root / "agents").iterdir()) == []


def test_bootstrap_refuses_a_root_that_is_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root.symlink_to(tmp_path / "elsewhere")

    status, words = refusal(root)

    assert (status, "link" in words) == (78, True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_bootstrap_refuses_a_root_of_another_user(root: Path) -> None:
    root.mkdir(mode=0o700)
    os.chown(root, 12345, 12345)

    status, words = refusal(root)

    assert (status, "12345" in words) == (78, True)


def test_bootstrap_refuses_a_root_that_others_can_write(root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)

    assert refusal(root)[0] == 78


def test_bootstrap_tells_of_an_io_error_when_root_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    status, words = refusal(tmp_path / "file" / "root")

    assert (status, str(tmp_path / "file") in words) == (74, True)


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_bootstrap_names_the_version_when_python_is_too_old(root: Path, version: str) -> None:
    process = AgentProcess(root, python=python(version))

    assert process.boot_answer() == b""
    status, words = process.end()
    assert (status, f"this is {version}" in words) == (78, True)
    assert not root.exists()


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.13"])
def test_agent_deploys_with_other_pythons(root: Path, version: str) -> None:
    release = fake_release()
    with AgentProcess(root, python=python(version)).boot() as agent:
        assert agent.request("hello", protocol=[1])["python"].startswith(version)
        assert agent.deploy(release)["active"] == release.digest


def test_agent_keeps_stdout_clean_when_something_prints(root: Path, tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(
        "import os\nfrom device_agents.linux.runners import fake\n"
        "FORMATS, versions, prepare, load = fake.FORMATS, fake.versions, fake.prepare, fake.load\n"
        "def probe():\n    print('noise')\n    os.write(1, b'more noise')\n"
    )
    with AgentProcess(root, env={"EDGEKIT_RUNNERS": str(tmp_path)}).boot() as agent:
        assert agent.request("probe", runtimes=["noisy"])["runtimes"]["noisy"]["ok"]


def test_build_is_the_same_again(tmp_path: Path) -> None:
    build = "from edgekit.device.agent_build import *; import sys; sys.stdout.buffer.write(build_agent())"
    other = subprocess.run(
        [sys.executable, "-c", build], capture_output=True, check=True, env={**os.environ, "TZ": "Asia/Tokyo"}
    ).stdout

    assert other == build_agent()
    assert hashlib.sha256(other).hexdigest() == agent_digest()
    assert len(other) < 160 * 1024, "it is pushed over slow links"


def test_script_writes_the_agent(tmp_path: Path) -> None:
    script = Path(__file__).parents[3] / "scripts" / "build_agent"

    words = subprocess.run(
        [sys.executable, str(script), "-o", str(tmp_path / "a.pyz")], capture_output=True, check=True, text=True
    ).stdout

    assert (tmp_path / "a.pyz").read_bytes() == build_agent()
    assert agent_digest() in words
