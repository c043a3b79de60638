"""Processes with a pipe: they serve, say how they died, and never outlive who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from edgekit.flows.searching.child import Child

_LIMIT_S = 30


def echo(work: Any, connection: Connection[Any, Any], slot: int) -> None:
    """Answer each message with what the process knows."""
    while (message := connection.recv()) != "end":
        os.write(1, b"a library prints\n")
        connection.send((work, slot, message, os.getpid(), tempfile.gettempdir(), os.getpgid(0)))


def wait_for_ever(_work: Any, _connection: Connection[Any, Any], _slot: int) -> None:
    """A hung process."""
    signal.pause()


def test_child_serves_with_its_own_group_log_and_temporary_folder(tmp_path: Path) -> None:
    child = Child(f"{__name__}:echo", {"some": "work"}, slot=3, log=tmp_path / "log")

    child.send("hello")
    work, slot, message, pid, folder, group = child.connection.recv()
    existed = Path(folder).is_dir()
    child.send("end")
    ended = child.ended()
    child.close()

    assert (work, slot, message, pid) == ({"some": "work"}, 3, "hello", child.pid)
    assert group == pid != os.getpgid(0)
    assert ended == "ended with exit code 0"
    assert (tmp_path / "log").read_bytes() == b"a library prints\n"
    assert existed
    assert not Path(folder).exists()


def test_child_that_is_killed_ends_the_pipe_and_says_by_what() -> None:
    child = Child(f"{__name__}:wait_for_ever", None, slot=0, log=None)

    child.kill()

    with pytest.raises((EOFError, ConnectionResetError)):
        child.connection.recv()
    assert child.ended() == "was killed by SIGKILL"
    child.send("nobody hears this")
    child.close()


def test_child_that_does_not_end_is_killed_when_it_is_closed() -> None:
    child = Child(f"{__name__}:wait_for_ever", None, slot=0, log=None)

    child.close()

    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_child_dies_with_a_parent_that_is_killed() -> None:
    starts = "\n".join([
        "import sys, signal",
        f"from {__name__} import wait_for_ever",
        "from edgekit.flows.searching.child import Child",
        f"child = Child('{__name__}:echo', None, slot=0, log=None)",
        "child.send('ready?')",
        "child.connection.recv()",
        "print(child.pid, flush=True)",
        "signal.pause()",
    ])  # fmt: skip
    command = [sys.executable, "-c", starts]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watched = os.pidfd_open(pid)

        parent.kill()

        import select

        assert select.select([watched], [], [], _LIMIT_S)[0] == [watched]
        os.close(watched)
