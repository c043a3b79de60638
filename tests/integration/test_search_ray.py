"""A search's run as tasks of Ray on this computer: workers, heads and whole searches die, and nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.core.errors import NetworkError
from edgekit.core.search.trial import State
from edgekit.flows.searching.run import open_study
from tests.models.postgresql import Server, postgresql
from tests.models.search_candidates import opens, search_in_a_process, searched, tried

__all__ = ["postgresql"]

_LIMIT_S = 180.0


@pytest.fixture(autouse=True)
def _ray_is_installed() -> None:
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'edgekit-deploy[ray]')")


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """Commands of all processes that a process has started, and they, by PID."""
    found: dict[int, str] = {}
    for child in _children(pid):
        try:
            found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        found |= descendants(child)
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        return [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:
        return []


def test_tasks_hold_devices_as_resources_and_a_dead_worker_costs_a_retry(tmp_path: Path) -> None:
    script = {"device": True, "dies": {"2": [1]}}

    run = searched(opens(tmp_path, trials=8, workers=2, ray="local", devices=("a", "b"), script=script))

    assert Counter(trial.state for trial in run.trials) == {State.COMPLETE: 8}
    assert run.trials[2].attempts == 2
    assert run.trials[2].worker.startswith("ray/")
    assert Counter(line["trial"] for line in tried(tmp_path)) == Counter(trial.number for trial in run.trials)
    assert {line["device"] for line in tried(tmp_path)} == {"a", "b"}
    assert any("trial 2" in warning for warning in run.warnings)
    assert not [command for command in descendants(os.getpid()).values() if "/ray/" in command]


@pytest.mark.full
@pytest.mark.parametrize("part", ["gcs/gcs_server", "raylet/raylet"])
def test_head_that_is_killed_costs_its_trials_a_retry(tmp_path: Path, part: str) -> None:
    killed: list[int] = []

    def kill() -> None:
        until(lambda: len(tried(tmp_path)) >= 3)
        killed.extend(pid for pid, command in descendants(os.getpid()).items() if part in command.split(" ")[0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    run = searched(opens(tmp_path, trials=12, workers=2, ray="local", script={"pause_s": 0.3}))
    killer.join()

    assert killed
    assert Counter(trial.state for trial in run.trials) == {State.COMPLETE: 12}


@pytest.mark.full
def test_killed_search_on_ray_with_a_database_goes_on_where_it_was(tmp_path: Path, postgresql: Server) -> None:
    request = opens(
        tmp_path, trials=16, workers=2, ray="local", storage=postgresql.database("ray"), script={"pause_s": 0.2}
    )
    before = search_in_a_process(request, tmp_path / "log")
    until(lambda: len(tried(tmp_path)) >= 4)
    rays = descendants(before.pid)
    before.kill()
    before.wait(_LIMIT_S)
    until(lambda: not any(Path(f"/proc/{pid}/stat").exists() for pid in rays))
    _, study = open_study(tmp_path / "study")
    told = {trial.number for trial in study.trials() if trial.state is State.COMPLETE}
    study.close()
    lines = len(tried(tmp_path))

    run = searched(opens(tmp_path, trials=16, workers=2, ray="local", resume=True))

    assert len(told) >= 2
    assert Counter(trial.state for trial in run.trials) == {State.COMPLETE: 16}
    assert told.isdisjoint(line["trial"] for line in tried(tmp_path)[lines:])


@pytest.mark.full
def test_cluster_that_is_not_there_is_a_network_error(tmp_path: Path, postgresql: Server) -> None:
    request = opens(tmp_path, trials=2, ray="127.0.0.1:1", storage=postgresql.database("nowhere"), script={})

    with pytest.raises(NetworkError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        searched(request)
