"""Lines and frames over a ByteChannel, with a limit on everything that a hostile device could make long."""

from __future__ import annotations

import time
from typing import Any

from device_agents.linux import protocol
from edgekit.core.errors import DeadlineError, EdgekitError, InputError, NetworkError, ProtocolError
from edgekit.device.deadlines import MIN_BYTES_PER_S
from edgekit.device.rate import RateLimit
from edgekit.transports import ByteChannel, Endpoint, printable

FRAME_BYTES = 256 * 1024
"""Bytes in a frame that we send: big enough to cost nothing, small enough that a slow link shows progress."""

_READ_BYTES = 64 * 1024
_WRITE_BYTES = 64 * 1024
"""Between two of these the speed of the link is looked at."""


class Wire:
    """Buffered reading and framed writing.

    Args:
        channel: the streams of the agent.
        endpoint: of the device, for messages.
        idle_s: longest silence while we wait; what began to come or go has so long, and the time that
            `MIN_BYTES_PER_S` gives its bytes.
        start_s: longest time until the agent has greeted us, however much is said before.
        rate: most bytes that we send a second; None is as many as the link takes.

    Attributes:
        frame_bytes: of the frames that a payload is to be sent in.
    """

    def __init__(
        self,
        channel: ByteChannel,
        endpoint: Endpoint,
        idle_s: float,
        *,
        start_s: float = 60.0,
        rate: RateLimit | None = None,
    ) -> None:
        self._channel = channel
        self._endpoint = endpoint
        self._idle_s = idle_s
        self._start_s = start_s
        self._rate = rate
        self.frame_bytes = FRAME_BYTES if rate is None else min(FRAME_BYTES, rate.burst_bytes)
        self._buffer = bytearray()
        self._greeted = False

    def bad(self, what: str) -> ProtocolError:
        """The error for bytes that the protocol does not allow."""
        return ProtocolError(
            f"{self._endpoint} broke the agent protocol: {what}",
            hint="is something else answering there? `edgekit doctor` looks deeper",
        )

    def _fill(self) -> None:
        data = self._channel.read(_READ_BYTES, self._idle_s)
        if not data:
            raise self._ended()
        self._buffer += data

    def _ended(self) -> EdgekitError:
        """The error for a program that ended, with what it said in place of the agent's greeting."""
        error = self._channel.explain_end()
        if self._greeted or not self._buffer:
            return error
        heard = printable(bytes(self._buffer[-200:]), limit=200)
        return type(error)(f"{error.message}; it said '{heard}'", hint=error.hint, **error.details)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def has_input(self) -> bool:
        """Whether the device has said something that nobody has read yet."""
        return bool(self._buffer) or self._channel.readable()

    def skip_to(self, *markers: bytes) -> bytes:
        """Read over foreign text (a message of the day, a chatty .bashrc) up to and with the first marker.

        Returns:
            The marker that came.

        Raises:
            ProtocolError: none came within `protocol.MAX_PREAMBLE` bytes.
            DeadlineError: none came in time.
        """
        begun = time.monotonic()
        while True:
            found = [(position, marker) for marker in markers if (position := self._buffer.find(marker)) >= 0]
            if found and min(found)[0] <= protocol.MAX_PREAMBLE:
                position, marker = min(found)
                self._take(position + len(marker))
                self._greeted = True
                return marker
            if len(self._buffer) > protocol.MAX_PREAMBLE:
                first = printable(bytes(self._buffer[:120]), limit=120)
                raise self.bad(f"{protocol.MAX_PREAMBLE} bytes and no sign of the agent; they begin with '{first}'")
            if time.monotonic() - begun > self._start_s:
                raise self._too_late(f"did not greet us within {self._start_s:g} s", "start", self._start_s)
            self._fill()

    def read_message(self) -> dict[str, Any]:
        """The next JSON line."""
        if not self._buffer:
            self._fill()
        begun, searched = time.monotonic(), 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > protocol.MAX_LINE:
                raise self.bad(f"a line is longer than {protocol.MAX_LINE} bytes")
            self._check_speed(begun, searched, "answer")
            self._fill()
        try:
            return protocol.decode_message(self._take(end + 1))
        except protocol.FrameError as cause:
            raise self.bad(printable(str(cause))) from cause

    def read_frame(self) -> bytes:
        """The next payload frame; b"" ends a payload. Nothing is allocated before the length was checked."""
        self._collect(4)
        try:
            size = protocol.decode_frame_length(self._take(4))
        except protocol.FrameError as cause:
            raise self.bad(str(cause)) from cause
        self._collect(size)
        return self._take(size)

    def _collect(self, size: int) -> None:
        if size and not self._buffer:
            self._fill()
        begun = time.monotonic()
        while len(self._buffer) < size:
            self._check_speed(begun, len(self._buffer), "answer")
            self._fill()

    def _check_speed(self, begun: float, done_bytes: int, phase: str) -> None:
        """End what comes or goes in drops: each of them would end the silence, and all together take for ever."""
        seconds = time.monotonic() - begun
        if seconds > self._idle_s + done_bytes / MIN_BYTES_PER_S:
            raise self._too_late(
                f"moved {done_bytes} bytes in {seconds:.1f} s (limit {self._idle_s:g} s and {MIN_BYTES_PER_S} bytes/s)",
                phase,
                self._idle_s,
            )

    def _too_late(self, what: str, phase: str, limit_s: float) -> DeadlineError:
        return DeadlineError(
            f"{self._endpoint} {what} (phase {phase})",
            hint="the device may be overloaded, or the link too slow; try again, a half upload is resumed",
            phase=phase,
            limit_s=limit_s,
        )

    def write_message(self, message: dict[str, object]) -> None:
        """Send one JSON line."""
        try:
            line = protocol.encode_message(message)
        except (protocol.FrameError, ValueError) as cause:
            raise InputError(f"the request cannot be sent: {cause}", hint="send fewer or smaller values") from cause
        self.write(line)

    def write_frame(self, payload: bytes) -> None:
        """Send one payload frame."""
        self.write(protocol.encode_frame(payload))

    def write(self, data: bytes) -> None:
        """Send bytes; if the device is gone, its last words tell why."""
        begun, most = time.monotonic(), _WRITE_BYTES
        if self._rate is not None:
            most = min(most, self._rate.burst_bytes)
        try:
            for at in range(0, len(data), most):
                piece = data[at : at + most]
                if self._rate is not None:
                    self._rate.take(len(piece))
                self._check_speed(begun, at, "transfer")
                self._channel.write(piece, self._idle_s)
        except NetworkError as error:
            raise self._last_words(error) from error

    def _last_words(self, error: NetworkError) -> EdgekitError:
        """A program that ended has a better explanation than our broken pipe."""
        if self._channel.exit_status(0.5) is None:
            return error
        while len(self._buffer) <= protocol.MAX_PREAMBLE and (rest := self._channel.read(_READ_BYTES, self._idle_s)):
            self._buffer += rest
        return self._ended()
