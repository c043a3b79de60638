"""Processes that are left behind: found, ended and reaped, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from device_agents.linux import strays

DAEMON = "import os, signal; os.fork() and os._exit(0); os.setsid(); os.close(1); signal.pause()"


def test_daemon_is_ended_and_what_was_there_before_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as before:
        known = strays._children()
        with strays.ended():
            subprocess.run([sys.executable, "-c", DAEMON], check=True, stdout=subprocess.PIPE)
            left = strays._children() - known

        still = strays._children()
        is_running = before.poll() is None
        before.kill()

    assert len(left) == 1
    assert before.pid in known & still
    assert not still & left
    assert is_running


def test_kernel_that_does_not_list_children_is_asked_for_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:
        listed = strays._children()
        monkeypatch.setattr(os, "listdir", lambda path: ["0"] if path == "/proc/self/task" else _LIST(path))

        found = strays._children()
        child.kill()

    assert child.pid in listed
    assert found == listed


_LIST = os.listdir
