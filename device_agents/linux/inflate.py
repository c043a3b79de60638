"""A payload that travels compressed, decoded piece by piece in a fixed amount of memory."""

from __future__ import annotations

import zlib

from device_agents.linux.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DECODED = 256 * 1024
"""Most bytes that one step decodes, however small the piece is that they come from."""


def inflate(pieces: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """What a deflate stream (RFC 1951) stands for; at most one byte beyond `size` is ever decoded.

    Args:
        pieces: the stream, cut anywhere.
        size: the bytes that it must stand for.

    Raises:
        AgentError: E_VERIFY when it is no deflate stream, stands for more than `size` bytes, is much longer than they
            are, or has something behind its end; E_PROTOCOL when it stops before its end.
    """
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    received, left, most = 0, size, size + size // 8 + 64  # the worst of encoders makes 9 bits of a byte
    for piece in pieces:
        received += len(piece)
        if received > most:
            raise _refused(f"more than {most} bytes of it arrive for {size}")
        rest, more = piece, True
        while more:
            room = min(_DECODED, left + 1)
            try:
                data = decoder.decompress(rest, room)
            except zlib.error as cause:
                raise _refused(str(cause)) from cause
            if len(data) > left:
                raise _refused(f"it stands for more than the announced {size} bytes")
            rest, left, more = decoder.unconsumed_tail, left - len(data), len(data) == room
            if data:
                yield data
        if decoder.unused_data:
            raise _refused("something follows its end")
    if not decoder.eof:
        raise AgentError("E_PROTOCOL", "the payload ended before its deflate stream did", "send the rest")


def _refused(reason: str) -> AgentError:
    return AgentError("E_VERIFY", f"the deflate stream is refused: {reason}", "stage it again")
