from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.emulators._processes import HostProcess, descendants, identify, is_running, kill_tree, spawn

ENV = {"PATH": os.environ["PATH"]}


def wait_until(condition: object, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[HostProcess]:
    process = spawn(["/bin/sh", "-c", "sleep 100 & setsid sleep 100; true"], log=tmp_path / "log", env=ENV)
    wait_until(lambda: len(descendants(process.pid)) == 2)
    yield process
    kill_tree(process)


def test_output_of_a_spawned_process_is_appended_to_its_log(tmp_path: Path) -> None:
    for _ in range(2):
        process = spawn(["/bin/sh", "-c", "echo out; echo err >&2"], log=tmp_path / "log", env=ENV)
        wait_until(lambda process=process: not is_running(process))

    assert (tmp_path / "log").read_text() == "out\nerr\nout\nerr\n"


def test_process_that_ended_is_reaped_and_dead(tmp_path: Path) -> None:
    process = spawn(["/bin/true"], log=tmp_path / "log", env=ENV)

    wait_until(lambda: not is_running(process))

    assert not Path(f"/proc/{process.pid}").exists()


def test_kill_takes_the_whole_tree_other_sessions_too(sleeper: HostProcess) -> None:
    tree = [sleeper, *descendants(sleeper.pid)]

    kill_tree(sleeper)

    assert len(tree) == 3
    assert not any(is_running(process) for process in tree)


def test_kill_spares_a_process_that_only_has_the_same_pid(sleeper: HostProcess) -> None:
    kill_tree(replace(sleeper, started_ticks=sleeper.started_ticks - 1))

    assert is_running(sleeper)


def test_kill_of_a_dead_process_does_nothing(sleeper: HostProcess) -> None:
    kill_tree(sleeper)

    kill_tree(sleeper)


def test_pid_of_nobody_is_not_identified() -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait(timeout=10)

    with pytest.raises(ProcessLookupError):
        identify(child.pid)
