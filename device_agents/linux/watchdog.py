"""The watchdog: a process of its own that takes a release back when its trial is over and nobody has confirmed it.

It outlives the agent and the connection, holds no lock while it waits, and knows its trial by a nonce in state.json:
once the nonce is gone, by a confirmation or a rollback, it ends. A reboot ends it too; then the boot id tells the next
agent, or `recover` at boot, that the trial is over.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import contextmanager, suppress

from device_agents.linux import confirm, health, links, lock, state
from device_agents.linux.errors import AgentError, TerminatedError
from device_agents.linux.root import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_LOOK_S = 1.0
_PATIENCE = 2
_END = 6
"""So many looks at a lock that does not come free, until its holder is asked to end, and made to."""


@contextmanager
def on_guard(root: Root, nonce: str, limit_s: float) -> Iterator[None]:
    """Have a watchdog over the switch in this block, and over the trial behind it.

    Args:
        root: of the device.
        nonce: of the trial, which is in `pending` as long as there is something to take back.
        limit_s: for the block; an agent that takes longer is hung.

    Raises:
        AgentError: E_DEVICE when no process can be started; then nothing was switched.
    """
    reader, writer = os.pipe()
    try:
        try:
            pid = os.fork()
            if pid == 0:
                _become(root, nonce, reader, limit_s)  # never returns
            status = os.waitpid(pid, 0)[1]
        finally:
            os.close(reader)
        if status != 0:
            raise AgentError("E_DEVICE", "the watchdog of the trial cannot be started", "look at the device's memory")
        yield
    finally:
        os.close(writer)  # also when the agent is killed: then it looks at once


def _become(root: Root, nonce: str, reader: int, limit_s: float) -> None:
    """Leave the agent's session, its descriptors and with them its lock, and watch from a process of init's."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _keep_only(reader)
        os.chdir("/")
        if os.fork() == 0:
            _wait(reader, limit_s)
            _watch(root, nonce)
        status = 0
    except TerminatedError:
        pass  # between the fork and the new handlers
    finally:
        os._exit(status)  # nothing of the agent's runs here: no buffers, no threads, no clean-up


def _keep_only(reader: int) -> None:
    """Close every descriptor but one: a copy of the lock's would hold the lock, of the channel's the connection."""
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        if number != reader:
            with suppress(OSError):
                os.close(number)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    if null > 2:
        os.close(null)


def _wait(reader: int, limit_s: float) -> None:
    """Until the agent is through with the activation, dead, or hung."""
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    poller.poll(limit_s * 1000)
    os.close(reader)


def _watch(root: Root, nonce: str) -> None:
    looks = 0
    while True:
        try:
            pending = _pending(root, nonce)
            if pending is None:
                return
            left_s = confirm.left_s(pending)
            if left_s > 0:
                time.sleep(min(left_s, _LOOK_S))
                continue
            with lock.exclusive(root.lock):
                if _pending(root, nonce) is not None:
                    stored = links.recover(root, _ignore)
                    _tell(root, pending, stored.active)
        except AgentError as refusal:
            looks += 1
            if refusal.code == "E_LOCKED":
                _end_holder(root, refusal.details.get("pid"), looks)
            time.sleep(_LOOK_S)
        except OSError:
            time.sleep(_LOOK_S)  # a full or failing disk, as long as it takes


def _pending(root: Root, nonce: str) -> dict[str, Any] | None:
    with suppress(state.DamagedError, AgentError):
        stored = state.load(root.state)
        if stored is not None and stored.pending is not None and stored.pending.get("nonce") == nonce:
            return stored.pending
    return None


def _tell(root: Root, pending: dict[str, Any], active: str | None) -> None:
    names, limit_s = pending.get("health"), pending.get("health_s", health.DEFAULT_S)
    if names:
        with suppress(AgentError):
            health.Health(root, names, limit_s).tell(active)


def _end_holder(root: Root, pid: object, looks: int) -> None:
    """End an agent that holds the lock beyond the deadline: its host may be gone without its knowing."""
    if looks < _PATIENCE or not isinstance(pid, int) or not _has_open(pid, root.lock):
        return
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL if looks >= _END else signal.SIGTERM)


def _has_open(pid: int, path: str) -> bool:
    """Whether a process has a file open: the lock's text may name one that is gone, and its number somebody else's."""
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}") == path:
                    return True
    return False


def recover(path: str) -> int:
    """Take back what a reboot has ended; for a start script, before the application that uses `current`.

    Args:
        path: ROOT.

    Returns:
        The exit status: 0 when the links lead to a committed release, 75 when another agent is at work.
    """
    root = Root(path)
    try:
        with lock.exclusive(root.lock):
            links.recover(root, _say)
    except AgentError as refusal:
        _say(str(refusal))
        return 75 if refusal.code == "E_LOCKED" else 74
    except OSError as failure:
        _say(f"{failure.filename or path}: {failure.strerror}")
        return 74
    return 0


def _ignore(_message: str) -> None:
    pass


def _say(message: str) -> None:
    sys.stderr.write(f"edgekit: {message}\n")
