"""A process of our own with a pipe to it, in which a loop of ours serves; it dies with the process that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO

from edgekit.core.files import storage_errors

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_DEATH_S = 10.0
"""A killed process is gone in milliseconds, unless a disk or a driver holds it."""

Serve = Callable[[Any, "Connection[Any, Any]", int], None]


class Child:
    """A process that runs `module:function(work, connection, slot)` until it returns.

    What it gets and gives are Python values over a pipe that nobody else has; Ctrl-C in the terminal does not reach it,
    because what it has begun is the starting process's to end. It has a folder of its own for temporary files, which
    goes when it is closed: one that is killed cannot clean up.

    Args:
        function: "module:function".
        work: its first argument.
        slot: 0, 1, 2, ... among its kind.
        log: file that takes its output; None throws it away.
    """

    def __init__(self, function: str, work: Any, *, slot: int, log: Path | None) -> None:
        self.slot = slot
        self.connection, theirs = Pipe()
        self._folder = tempfile.TemporaryDirectory(prefix="edgekit-", ignore_cleanup_errors=True)
        with ExitStack() as lent:
            lent.callback(theirs.close)
            output: BinaryIO | int = subprocess.DEVNULL
            if log is not None:
                with storage_errors(log):
                    output = lent.enter_context(log.open("ab"))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self._folder.name)},
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        with suppress(BrokenPipeError, ConnectionResetError):  # it is dead: whoever reads next sees it
            self.connection.send(sys.path)
            self.connection.send((function, work, slot))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, message: Any) -> None:
        """Give it something; one that is dead does not get it."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def ended(self) -> str:
        """Wait for the end of one that is dying, and say how it ended."""
        try:
            code = self._process.wait(_DEATH_S)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait(_DEATH_S)
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def close(self, wait_s: float = 0.0) -> None:
        """Let it end by itself within a time, else kill it; gone when this returns."""
        self.connection.close()
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_DEATH_S)
        self._folder.cleanup()


def _main(handle: int, parent: int) -> None:
    """The process: `python -m edgekit.flows.searching.child HANDLE PARENT`."""
    _die_with(parent)
    os.set_inheritable(handle, False)  # noqa: FBT003 -- it takes no keywords
    connection: Connection[Any, Any] = Connection(handle)
    try:
        sys.path[:] = connection.recv()
        function, work, slot = connection.recv()
        module, _, name = function.partition(":")
        serve: Serve = getattr(import_module(module), name)
        serve(work, connection, slot)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # who started us is gone or wants us no more


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
