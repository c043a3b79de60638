"""Names by which one can tell whether a worker still runs."""

from __future__ import annotations

import os
import subprocess
import sys

from edgekit.flows.searching.worker_names import is_running, name_of


def test_running_process_is_known_by_its_name_and_a_dead_one_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = name_of(process.pid)
        ran = is_running(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has waited for it

        assert ran
        assert not is_running(name)
    assert not is_running(name)


def test_process_that_got_the_same_pid_later_is_another_one() -> None:
    host, boot, pid, ticks = name_of(os.getpid()).split("/")

    assert is_running(f"{host}/{boot}/{pid}/{ticks}")
    assert not is_running(f"{host}/{boot}/{pid}/{int(ticks) - 1}")
    assert not is_running(f"{host}/another boot/{pid}/{ticks}")
    assert not is_running(f"another-host/{boot}/{pid}/{ticks}")


def test_names_of_others_do_not_run_here() -> None:
    assert not is_running("ray/1234/5")
    assert not is_running(name_of(2**22 + 1))
