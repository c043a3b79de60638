"""The command line as a user runs it: a process of its own, with folders of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.models import tflite_files

COMMAND = [sys.executable, "-m", "edgekit.cli"]
_HEARS_SIGNALS = ["env", "--default-signal=INT,QUIT"]
"""A shell's background job ignores SIGINT, and so does all that it starts, the test run and its commands included."""


@dataclass(frozen=True, kw_only=True)
class Cli:
    """Runs `edgekit` in a folder, with an environment that can be changed."""

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `env` adds variables, None removes one."""
        environment = self.environment | options.pop("env", {})
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            **{
                "capture_output": True,
                "text": True,
                "timeout": 120,
                "check": False,
                "cwd": self.folder,
                "stdin": subprocess.DEVNULL,
            }
            | options,
            env={name: value for name, value in environment.items() if value is not None},
        )

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start a command and leave it running; `end` kills it if the test has not seen it end."""
        environment = self.environment | options.pop("env", {})
        process = subprocess.Popen(
            [*_HEARS_SIGNALS, *COMMAND, *map(str, arguments)],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": self.folder} | options,
            env=environment,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kill what was started and still runs, and close its pipes."""
        for process in self.started:
            with process:  # closes and waits
                process.kill()


def make_cli(folder: Path) -> Cli:
    """A command line whose every folder lies below this one."""
    own = {f"EDGEKIT_{name}_DIR": str(folder / name.lower()) for name in ("CACHE", "STATE", "DATA", "CONFIG")}
    (folder / "tmp").mkdir(parents=True)
    (folder / "work").mkdir()
    (folder / "work" / "dense.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("EDGEKIT_", "XDG_"))}
    environment = (
        keep
        | own
        | {"EDGEKIT_LOCAL_ROOT": str(folder / "device"), "TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home")}
    )
    return Cli(folder=folder / "work", environment=environment)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """A command line of the test's own; its working folder holds dense.tflite."""
    made = make_cli(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="session")
def with_a_run(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A command line that compiled dense.tflite to good.edgekit; tests do not change its folders."""
    made = make_cli(tmp_path_factory.mktemp("cli"))
    ended = made("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "-o", "good.edgekit")
    assert ended.returncode == 0, ended.stderr
    return made


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tiny disk")
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if mounted.returncode != 0:
        pytest.skip(f"a tiny disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=30)


def only_document(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON document on stdout; anything beside it fails."""
    document: dict[str, Any] = json.loads(ended.stdout)
    assert document["schema"].startswith("edgekit.")
    return document


def fill(folder: Path) -> None:
    """Leave no free block in a small file system."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
