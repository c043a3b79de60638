"""Lines and frames over the two descriptors that lead to the host."""

from __future__ import annotations

import hashlib
import os
import select
import threading

from device_agents.linux import durable, protocol
from device_agents.linux.errors import HostGoneError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

STALL_S = 60.0
"""A host that is silent for so long in the middle of a line or payload counts as gone, so that its lock falls."""

_CHUNK = 64 * 1024
_PIECE = 256 * 1024
"""Most bytes of a payload that one read takes: they go on to the disk from where they were read to."""

_PAYLOAD_ENDED = "the channel ended within a payload"


class Channel:
    """Reads requests and payloads, writes events, answers and payloads; one writer at a time.

    Args:
        source: descriptor that the host writes to.
        sink: descriptor that the host reads from.
    """

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self._sink = sink
        self._poller = select.poll()
        self._poller.register(source, select.POLLIN)
        self._buffer = bytearray()
        self._write_lock = threading.Lock()
        self._payload_open = False
        self._frame_left = 0
        self._piece = memoryview(b"")

    def read_message(self) -> dict[str, Any] | None:
        """The next request; None when the host has closed the channel between two requests.

        Raises:
            protocol.FrameError: bytes that are no request.
            HostGoneError: the channel ends within a line.
        """
        self._finish_payload()
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched >= protocol.MAX_LINE:
                raise protocol.FrameError(f"a line is longer than {protocol.MAX_LINE} bytes")
            if not self._fill(None if not self._buffer else STALL_S):
                if self._buffer:
                    raise HostGoneError("the channel ended within a line")
                return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return protocol.decode_message(line)

    def read_payload(self) -> Iterator[bytes | memoryview]:
        """The bytes of a payload in pieces, each good until the next; call this when the host has been told to send.

        A reader may stop early; the rest is skipped before the next request is read.

        Raises:
            protocol.FrameError: a frame longer than the limit.
            HostGoneError: the channel ends, or stalls, before the empty frame.
        """
        self._payload_open = True
        return self._pieces()

    def greet(self, magic: bytes) -> None:
        """Write the line that tells the host where foreign output ends."""
        self._write(magic)

    def send(self, message: dict[str, Any]) -> None:
        """Write one line.

        Raises:
            HostGoneError: nobody reads any more.
        """
        self._write(protocol.encode_message(message))

    def send_payload(self, request: int, name: str, descriptor: int, offset: int, size: int) -> None:
        """Announce and send `size` bytes of a file, whose digest goes ahead of them."""
        digest = hashlib.sha256()
        for chunk in _read_range(descriptor, offset, size):
            digest.update(chunk)
        facts = {"id": request, "event": "payload", "name": name, "size": size, "sha256": digest.hexdigest()}
        with self._write_lock:  # no heartbeat between the event and its frames
            self._write_unlocked(protocol.encode_message(facts))
            for chunk in _read_range(descriptor, offset, size):
                self._write_unlocked(protocol.encode_frame(chunk))
            self._write_unlocked(protocol.encode_frame(b""))

    def _pieces(self) -> Iterator[bytes | memoryview]:
        while self._frame_left or self._next_frame():
            piece = self._read_piece()
            self._frame_left -= len(piece)
            yield piece
        self._payload_open = False

    def _next_frame(self) -> int:
        self._frame_left = protocol.decode_frame_length(self._take(4))
        return self._frame_left

    def _read_piece(self) -> bytes | memoryview:
        """What has come of the frame, straight into a buffer that is used again; never a byte of the next frame."""
        if self._buffer:
            return self._take(min(self._frame_left, len(self._buffer)))
        if not self._piece:
            self._piece = memoryview(bytearray(_PIECE))
        self._wait(STALL_S)
        size = os.readv(self.source, [self._piece[: self._frame_left]])
        if not size:
            raise HostGoneError(_PAYLOAD_ENDED)
        return self._piece[:size]

    def _finish_payload(self) -> None:
        if self._payload_open:
            for _ in self._pieces():
                pass

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not self._fill(STALL_S, count - len(self._buffer)):
                raise HostGoneError(_PAYLOAD_ENDED)
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _fill(self, timeout_s: float | None, limit: int = _CHUNK) -> bool:
        self._wait(timeout_s)
        data = os.read(self.source, limit)
        self._buffer += data
        return bool(data)

    def _wait(self, timeout_s: float | None) -> None:
        if not self._poller.poll(None if timeout_s is None else timeout_s * 1000):
            raise HostGoneError(f"the host sent nothing for {timeout_s} s in the middle of a message")

    def _write(self, data: bytes) -> None:
        with self._write_lock:
            self._write_unlocked(data)

    def _write_unlocked(self, data: bytes) -> None:
        try:
            durable.write_all(self._sink, data)
        except OSError as cause:
            raise HostGoneError(f"the host no longer reads: {cause}") from cause


def _read_range(descriptor: int, offset: int, size: int) -> Iterator[bytes]:
    end = offset + size
    while offset < end:
        chunk = os.pread(descriptor, min(protocol.MAX_FRAME, end - offset), offset)
        if not chunk:
            raise OSError(5, "a payload file is shorter than announced")
        offset += len(chunk)
        yield chunk
