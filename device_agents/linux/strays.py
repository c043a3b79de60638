"""Processes that a child has left behind, also those that moved into a session of their own to outlive it.

While a child runs, the agent is the one to whom orphans below it fall (PR_SET_CHILD_SUBREAPER, prctl(2), Linux 3.4), so
they are found among its own children afterwards. Where the kernel knows no such thing they stay, as init's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_CHILD_SUBREAPER = 36
_GONE_S = 5.0
"""A killed process is gone in milliseconds, unless a disk or a driver holds it."""


@contextmanager
def ended() -> Iterator[None]:
    """Whatever the block starts, directly or not, and leaves behind is killed and reaped when it ends."""
    known = _children()
    _adopt(1)
    try:
        yield
    finally:
        deadline = time.monotonic() + _GONE_S
        while (strays := _children() - known) and time.monotonic() < deadline:
            for pid in strays:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.001)
        _adopt(0)


def _adopt(orphans: int) -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, orphans, 0, 0, 0)


def _children() -> set[int]:
    """Our own children, dead ones that nobody has asked for among them."""
    found: set[int] = set()
    try:
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found.update(map(int, file.read().split()))
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN, or a thread that has just ended
        return _children_by_parent()
    return found


def _children_by_parent() -> set[int]:
    found, mine = set(), str(os.getpid())
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            if file.read().rpartition(")")[2].split()[1] == mine:
                found.add(int(name))
    return found
