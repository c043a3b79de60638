"""The exclusive lock of a device: a flock that dies with the agent, and a text that names its holder.

activate, rollback, stage and collect change ROOT; measure and evaluate need the machine for themselves: these six take
the lock for as long as they run. hello, status, probe and infer never wait for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress

from device_agents.linux.environment import boot_id
from device_agents.linux.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_UNKNOWN = {"pid": 0, "since_s": 0.0}
_PATIENCE_S = 0.2
"""`holder` takes the lock for some microseconds to see whether it is free; wait longer than that."""


@contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Hold the lock while the block runs.

    Raises:
        AgentError: E_LOCKED with the holder's pid and the seconds since it took the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not _acquire(descriptor):
            raise _locked_error(_read_text(descriptor))
        _write_text(descriptor)
        yield
    finally:
        os.close(descriptor)


def holder(path: str) -> dict[str, Any] | None:
    """`{pid, since_s}` of the process that holds the lock (pid 0 if it is unknown), or None when it is free."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_text(descriptor)
    finally:
        os.close(descriptor)
    return None


def _acquire(descriptor: int) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _write_text(descriptor: int) -> None:
    # CLOCK_BOOTTIME: a device without a clock battery jumps in wall time, not in time since boot.
    text = {"pid": os.getpid(), "boot_id": boot_id(), "since": time.clock_gettime(time.CLOCK_BOOTTIME)}
    with suppress(OSError):  # it tells others who has the lock, no more; a full disk must not keep anybody from it
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(text).encode(), 0)


def _read_text(descriptor: int) -> dict[str, Any]:
    """Who the text names; a text from before a reboot, or a damaged one, names nobody."""
    try:
        text = json.loads(os.pread(descriptor, 4096, 0))
        if text["boot_id"] != boot_id():
            return _UNKNOWN
        since_s = time.clock_gettime(time.CLOCK_BOOTTIME) - float(text["since"])
        return {"pid": int(text["pid"]), "since_s": round(max(0.0, since_s), 3)}
    except (ValueError, KeyError, TypeError):
        return _UNKNOWN


def _locked_error(holder_facts: dict[str, Any]) -> AgentError:
    pid, since_s = holder_facts["pid"], holder_facts["since_s"]
    who = "another agent" if pid == 0 else f"the agent with pid {pid}, for {since_s:.0f} s"
    return AgentError("E_LOCKED", f"the device is in use by {who}", "try again when it has finished", **holder_facts)
