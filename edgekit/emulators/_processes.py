"""Host processes that outlive the command that started them, and are never mistaken for another with the same pid."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KILL_TIMEOUT_S = 20.0
# Places in what _stat_fields returns; proc(5) counts from 1 and its third field is our first.
_PARENT, _STARTED = 4 - 3, 22 - 3
_DEAD_STATES = frozenset("ZX")


@dataclass(frozen=True, kw_only=True)
class HostProcess:
    """One process, named so that it cannot be confused with a later one.

    Attributes:
        pid: its number.
        started_ticks: when it started, in clock ticks since the host booted (proc(5), stat field 22).
        host_boot_id: which boot of the host that was.
    """

    pid: int
    started_ticks: int
    host_boot_id: str


def spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str]) -> HostProcess:
    """Start a program in a session of its own, with its output appended to a file.

    Args:
        argv: absolute program path and arguments.
        log: gets stdout and stderr.
        env: the whole environment of the program.
    """
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        argv[0],
        list(argv),
        dict(env),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    fields = _stat_fields(pid)
    if fields is None:  # cannot be: a child that has ended stays, as a zombie, until we ask for it
        raise ProcessLookupError(pid)
    return _named(pid, fields)


def identify(pid: int) -> HostProcess:
    """The process that has this pid now.

    Raises:
        ProcessLookupError: there is none.
    """
    fields = _stat_fields(pid)
    if fields is None or fields[0] in _DEAD_STATES:
        raise ProcessLookupError(pid)
    return _named(pid, fields)


def is_running(process: HostProcess) -> bool:
    """Whether exactly this process lives. A zombie counts as dead, and is reaped if it is our child."""
    fields = _stat_fields(process.pid)
    if fields is None or process.host_boot_id != _boot_id() or int(fields[_STARTED]) != process.started_ticks:
        return False
    if fields[0] in _DEAD_STATES:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
        return False
    return True


def descendants(pid: int) -> list[HostProcess]:
    """All children of a process, their children, and so on, from /proc."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = _stat_fields(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None:
            parents.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found: list[HostProcess] = []
    queue = [pid]
    while queue:
        for child in parents.get(queue.pop(), []):
            queue.append(child)
            with suppress(ProcessLookupError):
                found.append(identify(child))
    return found


def kill_tree(process: HostProcess, *, timeout_s: float = _KILL_TIMEOUT_S) -> None:
    """SIGKILL exactly this process and all its descendants, and return when they are gone.

    Nothing happens when it is gone already. All are stopped first, so that none can start another meanwhile.

    Raises:
        DeadlineError: one is still there after `timeout_s` (stuck in the kernel).
    """
    handles: dict[HostProcess, int] = {}
    try:
        wanted = {process}
        while wanted - handles.keys():
            for each in wanted - handles.keys():
                handles[each] = _stopped(each)
            wanted |= set(descendants(process.pid)) if handles[process] >= 0 else set()
        held = {each: handle for each, handle in handles.items() if handle >= 0}
        for handle in held.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        for each, handle in held.items():
            if not _gone(handle, timeout_s):
                raise DeadlineError(
                    f"process {each.pid} survives SIGKILL for {timeout_s:.0f} s", hint=f"see /proc/{each.pid}/stack"
                )
    finally:
        for handle in handles.values():
            if handle >= 0:
                os.close(handle)
        is_running(process)


def _stopped(process: HostProcess) -> int:
    """A handle of the process, which no longer runs; -1 when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return -1
    # Looked at after the handle was taken: from here on the pid cannot change hands unseen.
    if not is_running(process):
        os.close(handle)
        return -1
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGSTOP)
    return handle


def _gone(handle: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the program name, from the state (field 3) on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _named(pid: int, fields: list[str]) -> HostProcess:
    return HostProcess(pid=pid, started_ticks=int(fields[_STARTED]), host_boot_id=_boot_id())


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
