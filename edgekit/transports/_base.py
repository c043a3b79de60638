"""The interface of every transport: start one constant Python program on a device, hand out its streams."""

from __future__ import annotations

import shlex
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from edgekit.core.errors import DeviceError, EdgekitError, NetworkError, UnsupportedError
from edgekit.transports._endpoint import Endpoint
from edgekit.transports._printable import printable
from edgekit.transports._trust import Trust

STDERR_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long each phase may take, in seconds.

    Attributes:
        connect_s: name look-up and TCP connection.
        banner_s: until the server says that it speaks SSH.
        auth_s: key exchange, and again authentication.
        channel_s: until the program is started.
        idle_s: silence while we wait for an answer, or for the device to take bytes.
        keepalive_s: distance of the probes that keep NAT tables and firewalls from forgetting the connection.
        start_s: until the agent has greeted us, however much else the device says.
        close_s: how long a program may take to end after its input ended.
    """

    connect_s: float = 10.0
    banner_s: float = 10.0
    auth_s: float = 15.0
    channel_s: float = 15.0
    idle_s: float = 15.0
    keepalive_s: float = 5.0
    start_s: float = 60.0
    close_s: float = 2.0


def shell_command(program: str) -> str:
    """The one command line that a remote shell ever sees from us; the program is a constant of edgekit."""
    return f"python3 -I -c {shlex.quote(program)}"


class StderrTail:
    """The end of a program's error output, read in a thread of its own so that the program never blocks on it."""

    def __init__(self, read: Callable[[int], bytes], name: str) -> None:
        """Start to read.

        Args:
            read: blocks for up to so many bytes; b"" at the end; OSError and ValueError end the reading too.
            name: of the thread, for people who look at a stuck process.
        """
        self._read = read
        self._kept = bytearray()
        self._changed = threading.Condition()
        self.ended = False
        self._thread = threading.Thread(target=self._drain, name=f"edgekit-stderr {name}", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        chunk = b"start"
        while chunk:
            try:
                chunk = self._read(32 * 1024)
            except TimeoutError:
                continue
            except (OSError, ValueError, EOFError):
                chunk = b""
            with self._changed:
                self._kept += chunk
                del self._kept[:-STDERR_TAIL_BYTES]
                self.ended = not chunk
                self._changed.notify_all()

    def text(self) -> str:
        """What is kept, as it came: not safe to print."""
        with self._changed:
            return self._kept.decode("utf-8", errors="replace")

    def wait_for(self, pattern: bytes, timeout_s: float) -> bool:
        """Block until the kept text holds the pattern; False when the stream ended or time is over without it."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or pattern in self._kept, timeout_s)
            return pattern in self._kept

    def wait_ended(self, timeout_s: float) -> None:
        """Block until the stream ends or time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended, timeout_s)

    def join(self, timeout_s: float) -> None:
        """Wait for the reader to end, which it does when its stream is closed."""
        self._thread.join(timeout_s)


class ByteChannel(ABC):
    """The streams of a running program; not for use by several threads at once."""

    endpoint: Endpoint

    @abstractmethod
    def read(self, limit_bytes: int, timeout_s: float) -> bytes:
        """Up to so many bytes of standard output, as soon as there are any; b"" at its end.

        Raises:
            DeadlineError: nothing came in time.
            NetworkError: the connection broke.
        """

    @abstractmethod
    def write(self, data: bytes, timeout_s: float) -> None:
        """Put all of it into standard input.

        Args:
            data: any number of bytes.
            timeout_s: longest time without any progress.

        Raises:
            DeadlineError: the device took nothing for so long.
            NetworkError: the connection broke, or the program reads no more.
        """

    @abstractmethod
    def readable(self) -> bool:
        """Whether `read` would return at once."""

    @abstractmethod
    def stderr_tail(self) -> str:
        """The last 64 KiB of error output, as it came: not safe to print."""

    @abstractmethod
    def exit_status(self, timeout_s: float) -> int | None:
        """The program's exit status, None if it is not known in time."""

    @abstractmethod
    def close(self) -> None:
        """End the program's input, give it `Limits.close_s` to end, then free everything; a second call is harmless."""

    def explain_end(self) -> EdgekitError:
        """The error for an output that ended before the protocol did."""
        status = self.exit_status(2.0)
        last_words = printable(self.stderr_tail().strip().rpartition("\n")[2][-300:], limit=300)
        said = f": {last_words}" if last_words else ""
        if status is None:
            return NetworkError(
                f"the connection to {self.endpoint} ended in the middle of an answer{said}",
                hint="check that the device is up and try again; a half upload is resumed",
            )
        if status in (126, 127):
            return UnsupportedError(
                f"{self.endpoint} cannot run python3 (exit status {status}){said}",
                hint="install Python 3.8 or newer there, e.g. sudo apt install python3",
                exit_status=status,
            )
        return DeviceError(
            f"the agent on {self.endpoint} ended with status {status}{said}",
            hint="run the command again; `edgekit doctor` looks deeper",
            exit_status=status,
            stderr=printable(self.stderr_tail()[-4000:], limit=4000),
        )


class Transport(ABC):
    """One connection to one device. Use it as a context manager; authors write `_open`, `_start` and `_close`.

    Attributes:
        scheme: of the URLs that it serves, the same as the file's name.
        summary: one line for listings.
        is_remote: bytes leave this computer, so that fewer of them are worth some work.
        endpoint, trust, limits: as given.
    """

    scheme: ClassVar[str]
    summary: ClassVar[str]
    is_remote: ClassVar[bool] = True
    foreign_errors: ClassVar[tuple[type[Exception], ...]] = (OSError, EOFError)
    """What the transport's library raises; it becomes NetworkError where `_open` and `_start` do not know better."""

    def __init__(self, endpoint: Endpoint, trust: Trust, limits: Limits) -> None:
        self.endpoint = endpoint
        self.trust = trust
        self.limits = limits
        self._channel: ByteChannel | None = None

    def open(self) -> None:
        """Connect, check the device's host key, only then log in.

        Raises:
            HostKeyError: the device's key is unknown, another one, or revoked; nothing was sent to it.
            AuthenticationError: it does not accept our key, or our key cannot be used.
            NetworkError: it cannot be reached; DeadlineError names the phase that took too long.
        """
        with self._closed_on_error(), self._translated("connect"):
            self._open()

    def start(self, program: str) -> ByteChannel:
        """Run `python3 -I -c program` there; called once, on an open transport.

        Raises:
            NetworkError: the connection broke, or the device took too long.
            DeviceError: it refuses to run commands.
        """
        with self._closed_on_error(), self._translated("start"):
            self._channel = self._start(program)
            return self._channel

    def close(self) -> None:
        """End program and connection; a second call is harmless."""
        try:
            if self._channel is not None:
                self._channel.close()
        finally:
            self._channel = None
            self._close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _translated(self, phase: str) -> Iterator[None]:
        try:
            yield
        except EdgekitError:
            raise
        except self.foreign_errors as cause:
            raise NetworkError(
                f"the connection to {self.endpoint} failed ({phase}): {printable(str(cause) or repr(cause))}",
                hint="check that the device is up and that its SSH server answers",
                phase=phase,
            ) from cause

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _start(self, program: str) -> ByteChannel: ...

    @abstractmethod
    def _close(self) -> None: ...
