"""What the tests of this folder share: the command in this process, models that are refused, devices that lie."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli._app import run
from edgekit.core.errors import EdgekitError
from edgekit.core.isolation import Isolate
from edgekit.selftest.lab.scripted_agent import PRELUDE
from edgekit.sources._base import load_source
from tests.fakes.ssh_server import USER, Behaviour, FakeSshServer, make_key
from tests.models import tflite_files
from tests.models.command import warm_child
from tests.models.fixtures import framework_models, isolate, torch_files
from tests.unit.cli.conftest import make_cli, tiny_disk

__all__ = ["framework_models", "isolate", "tiny_disk", "torch_files", "warm_child"]

SCRIPTED = '''"""An agent that follows a script: a transport for the tests."""

import os
import sys

from edgekit.transports._pipes import PipeChannel
from edgekit.transports.local import LocalTransport


class Scripted(LocalTransport):
    """scripted://user@device runs $EDGEKIT_TEST_SCRIPT in place of the agent, or the agent below a wrapper."""

    scheme = "scripted"

    def _start(self, program):
        wrap = os.environ.get("EDGEKIT_TEST_WRAP", "").split()
        rest = ["-c", program] if wrap else [os.environ["EDGEKIT_TEST_SCRIPT"]]
        return PipeChannel(
            [*wrap, sys.executable, "-I", *rest],
            endpoint=self.endpoint,
            limits=self.limits,
            environment={**os.environ, "EDGEKIT_ROOT": str(self.root())},
        )


TRANSPORT = Scripted
'''


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code.
        document: the one JSON document on stdout.
        stderr: what it told people.
    """

    code: int
    document: dict[str, Any]
    stderr: str

    @property
    def message(self) -> str:
        """What the error says, with its hint; empty when there is none."""
        error = self.document.get("error", {})
        return f"{error.get('message', '')} {error.get('hint') or ''}".strip()


@dataclass(frozen=True, kw_only=True)
class Command:
    """Runs `edgekit VERB --json ...` in this process; `folder` is the working folder and holds dense.tflite.

    `main` adds no more than the exit; tests/unit/cli/test_exit_codes.py holds it to that.
    """

    folder: Path
    capfd: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Ended:
        """Run a command to its end; a code that is not 0 has its error, never a traceback."""
        words = [str(argument) for argument in arguments]
        at = 2 if words[0] in ("devices", "emulator") else 1
        self.capfd.readouterr()
        code = run([*words[:at], "--json", *words[at:]])
        printed = self.capfd.readouterr()
        document = json.loads(printed.out)
        assert "Traceback" not in printed.err
        assert document.get("error", {"exit_code": code})["exit_code"] == code
        return Ended(code=code, document=document, stderr=printed.err)


@pytest.fixture
def edgekit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], warm_child: None
) -> Command:
    """The command line, with folders of its own."""
    folder = tmp_path / "folder of the command"
    folder.mkdir()
    (folder / "dense.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    monkeypatch.chdir(folder)
    return Command(folder=folder, capfd=capfd)


@pytest.fixture
def refusal(tmp_path: Path, isolate: Isolate, framework_models: Path) -> Any:
    """Loads bytes or a path and returns the error; nothing hostile may have run."""

    def load(content: bytes | Path, name: str = "model") -> EdgekitError:
        path = content if isinstance(content, Path) else tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        with pytest.raises(EdgekitError) as caught:
            load_source(path, work=tmp_path / "work", isolate=isolate)
        assert not (framework_models / "canary").exists()
        assert not (tmp_path / "canary").exists()
        return caught.value

    return load


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle of dense.tflite, and the root folder of a local device where it is active; tests copy the root."""
    made = make_cli(tmp_path_factory.mktemp("deployed"))
    host = ("--target", "host")
    for arguments in (
        ("compile", "dense.tflite", *host, "--recipe", "dynamic", "-o", "good.edgekit"),
        ("deploy", "good.edgekit", *host, "--device", "local://", "--no-profile"),
    ):
        ended = made(*arguments)
        assert ended.returncode == 0, ended.stderr
    return made.folder / "good.edgekit", made.folder.parent / "device"


@pytest.fixture
def bundle(deployed: tuple[Path, Path]) -> Path:
    """A good bundle for this computer."""
    return deployed[0]


@pytest.fixture
def device(deployed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root folder of `local://`, with the bundle active."""
    root = tmp_path / "device"
    shutil.copytree(deployed[1], root, symlinks=True)
    monkeypatch.setenv("EDGEKIT_LOCAL_ROOT", str(root))
    return root


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs the transport of scripted://."""
    plugins = tmp_path / "plugins"
    (plugins / "transports").mkdir(parents=True)
    (plugins / "transports" / "scripted.py").write_text(SCRIPTED)
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(plugins))


@pytest.fixture
def agent_says(scripted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes the device scripted://user@device follow a script; returns its URL."""

    def follow(script: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(PRELUDE + script)
        monkeypatch.setenv("EDGEKIT_TEST_SCRIPT", str(path))
        return "scripted://user@device"

    return follow


@pytest.fixture
def agent_below(scripted: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs the agent of `device` below strace, which makes system calls fail; returns its URL."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: sudo apt install strace")

    def wrap(*expressions: str) -> str:
        words = ["strace", "-o", "/dev/null", *(part for one in expressions for part in ("-e", one))]
        monkeypatch.setenv("EDGEKIT_TEST_WRAP", " ".join(words))
        return "scripted://user@device"

    return wrap


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys: host, other, identity, and one with a passphrase, locked."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("host", "other", "identity"):
        make_key(folder, name)
    make_key(folder, "locked", passphrase="secret")
    return folder


@pytest.fixture
def ssh_device(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FakeSshServer]]:
    """Starts SSH devices that run the real agent; known_hosts knows the key of each, $EDGEKIT_KEY logs in."""
    running: list[FakeSshServer] = []
    monkeypatch.setenv("EDGEKIT_KEY", str(keys / "identity"))

    def start(*, environment: dict[str, str] | None = None, **behaviour: Any) -> FakeSshServer:
        own = {"EDGEKIT_ROOT": str(tmp_path / "ssh-device"), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        server = FakeSshServer(
            host_keys=[keys / "host"],
            home=tmp_path,
            behaviour=Behaviour(**behaviour),
            environment=own | (environment or {}),
        )
        running.append(server.__enter__())
        known_hosts(tmp_path, monkeypatch, known_line(server.port, keys / "host.pub"))
        return server

    yield start
    for server in running:
        server.__exit__(None, None, None)


def known_hosts(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Make a known_hosts of these lines the one that counts."""
    path = folder / "known_hosts"
    path.write_text("".join(f"{line}\n" for line in lines))
    monkeypatch.setenv("EDGEKIT_KNOWN_HOSTS", str(path))


def known_line(port: int, public: Path, marker: str = "") -> str:
    """A line of known_hosts for a port of this machine."""
    return f"{marker} [127.0.0.1]:{port} {public.read_text()}".strip()


def url(server: Any, scheme: str = "ssh") -> str:
    """The URL of a server on this machine."""
    return f"{scheme}://{USER}@127.0.0.1:{server.port}"
