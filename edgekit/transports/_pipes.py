"""A program that runs as our child process, as a ByteChannel: what `local` and `openssh` share."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from edgekit.core.errors import DeadlineError, InternalError, NetworkError, UnsupportedError
from edgekit.transports._base import ByteChannel, Limits, StderrTail
from edgekit.transports._endpoint import Endpoint


class PipeChannel(ByteChannel):
    """The three pipes of a child process, each with a deadline.

    The child gets a session of its own: Ctrl-C in the terminal reaches only us, and we end the child in order.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        endpoint: Endpoint,
        limits: Limits,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the child.

        Raises:
            UnsupportedError: there is no such program here.
        """
        self.endpoint = endpoint
        self._limits = limits
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                env=None if environment is None else dict(environment),
            )
        except OSError as cause:
            raise UnsupportedError(
                f"cannot run {command[0]} on this machine: {cause.strerror}", hint=f"install {command[0]}"
            ) from cause
        if self._process.stdin is None or self._process.stdout is None or self._process.stderr is None:
            raise InternalError("Popen was asked for three pipes and gave less")
        self._stdin, self._stdout, self._stderr = self._process.stdin, self._process.stdout, self._process.stderr
        os.set_blocking(self._stdin.fileno(), False)
        self._wake_reader, self._wake_writer = os.pipe()
        self._tail = StderrTail(self._read_stderr, str(endpoint))
        self._closed = False

    @property
    def tail(self) -> StderrTail:
        """The child's error output, for those who wait for a line in it."""
        return self._tail

    def _read_stderr(self, limit_bytes: int) -> bytes:
        # The second descriptor ends the wait when a grandchild keeps the pipe open after the child is gone.
        ready, _, _ = select.select([self._stderr.fileno(), self._wake_reader], [], [])
        return os.read(self._stderr.fileno(), limit_bytes) if self._stderr.fileno() in ready else b""

    def read(self, limit_bytes: int, timeout_s: float) -> bytes:
        """See ByteChannel."""
        if not _ready(self._stdout.fileno(), select.POLLIN, timeout_s):
            raise DeadlineError(
                f"{self.endpoint} was silent for {timeout_s:g} s (limit idle_s {timeout_s:g})",
                hint="the device may be overloaded or gone; try again",
                phase="answer",
                limit_s=timeout_s,
            )
        return os.read(self._stdout.fileno(), limit_bytes)

    def readable(self) -> bool:
        """See ByteChannel."""
        return _ready(self._stdout.fileno(), select.POLLIN, 0)

    def write(self, data: bytes, timeout_s: float) -> None:
        """See ByteChannel."""
        rest = memoryview(data)
        while rest:
            if not _ready(self._stdin.fileno(), select.POLLOUT, timeout_s):
                raise DeadlineError(
                    f"{self.endpoint} took no data for {timeout_s:g} s (limit idle_s {timeout_s:g})",
                    hint="the device may be overloaded or gone; try again, a half upload is resumed",
                    phase="transfer",
                    limit_s=timeout_s,
                )
            try:
                rest = rest[os.write(self._stdin.fileno(), rest) :]
            except BlockingIOError:
                continue
            except OSError as cause:
                raise NetworkError(
                    f"the program on {self.endpoint} reads no more: {cause.strerror}", hint="try again"
                ) from cause

    def stderr_tail(self) -> str:
        """See ByteChannel."""
        return self._tail.text()

    def exit_status(self, timeout_s: float) -> int | None:
        """See ByteChannel; a child killed by signal N has status -N."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(timeout_s)
            self._tail.wait_ended(0.5)  # the last words may still be in the pipe
            return status
        return None

    def close(self) -> None:
        """See ByteChannel."""
        if self._closed:
            return
        self._closed = True
        self._stdin.close()
        try:
            self._end_child()
        finally:
            os.write(self._wake_writer, b"x")
            self._tail.join(self._limits.close_s)
            for stream in (self._stdout, self._stderr):
                stream.close()
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    def _end_child(self) -> None:
        for step in (None, signal.SIGTERM, signal.SIGKILL):
            if step is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, step)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._limits.close_s)
                return


def _ready(descriptor: int, event: int, timeout_s: float) -> bool:
    """Whether a descriptor can be read or written (or has failed, which the call itself then tells) in time."""
    poll = select.poll()
    poll.register(descriptor, event)
    end = time.monotonic() + timeout_s
    while True:
        left_ms = max(0.0, end - time.monotonic()) * 1000
        if poll.poll(left_ms):
            return True
        if time.monotonic() >= end:
            return False
