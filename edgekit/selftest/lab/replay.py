"""Devices whose every word was written before: transports that record what an honest one says, and that play it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from edgekit.transports import ByteChannel, Endpoint, Limits, Transport, Trust, transport_for

_ENDPOINT = Endpoint(scheme="local")


class Recorder(Transport):
    """A local device; `said` is what it has written so far."""

    scheme: ClassVar[str] = "local"
    summary: ClassVar[str] = "a local device that is listened to"
    is_remote: ClassVar[bool] = False

    def __init__(self, root: Path) -> None:
        super().__init__(_ENDPOINT, Trust(), Limits())
        self._inner = transport_for(Endpoint.parse(f"local://{root}"))
        self.said = bytearray()

    def _open(self) -> None:
        self._inner.open()

    def _start(self, program: str) -> ByteChannel:
        return _Tap(self._inner.start(program), self.said)

    def _close(self) -> None:
        self._inner.close()


class _Tap(ByteChannel):
    def __init__(self, inner: ByteChannel, said: bytearray) -> None:
        self.endpoint = inner.endpoint
        self._inner = inner
        self._said = said

    def read(self, limit_bytes: int, timeout_s: float) -> bytes:
        data = self._inner.read(limit_bytes, timeout_s)
        self._said += data
        return data

    def write(self, data: bytes, timeout_s: float) -> None:
        self._inner.write(data, timeout_s)

    def readable(self) -> bool:
        return self._inner.readable()

    def stderr_tail(self) -> str:
        return self._inner.stderr_tail()

    def exit_status(self, timeout_s: float) -> int | None:
        return self._inner.exit_status(timeout_s)

    def close(self) -> None:
        self._inner.close()


class Player(Transport):
    """A device that says what it is given, whatever it is asked, and then hangs up.

    Args:
        chunks: what it writes, in pieces of any size.
        last_words: on its stderr.
        status: of its program.
    """

    scheme: ClassVar[str] = "local"
    summary: ClassVar[str] = "a device that says what it is given"
    is_remote: ClassVar[bool] = False

    def __init__(self, chunks: Iterable[bytes], *, last_words: str = "", status: int | None = 0) -> None:
        super().__init__(_ENDPOINT, Trust(), Limits())
        self._played = _Playback(iter(chunks), last_words, status)

    def _open(self) -> None:
        pass

    def _start(self, program: str) -> ByteChannel:  # noqa: ARG002 -- whatever is started
        return self._played

    def _close(self) -> None:
        pass


class _Playback(ByteChannel):
    def __init__(self, chunks: Iterator[bytes], last_words: str, status: int | None) -> None:
        self.endpoint = _ENDPOINT
        self._chunks = chunks
        self._left = b""
        self._last_words = last_words
        self._status = status

    def read(self, limit_bytes: int, timeout_s: float) -> bytes:  # noqa: ARG002 -- it is never silent
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._left = chunk
        data, self._left = self._left[:limit_bytes], self._left[limit_bytes:]
        return data

    def write(self, data: bytes, timeout_s: float) -> None:
        pass

    def readable(self) -> bool:
        return False

    def stderr_tail(self) -> str:
        return self._last_words

    def exit_status(self, timeout_s: float) -> int | None:  # noqa: ARG002 -- it ends at once
        return self._status

    def close(self) -> None:
        pass
