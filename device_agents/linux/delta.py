"""A payload that travels as what differs from a blob that the device already has."""

from __future__ import annotations

import os

from device_agents.linux import protocol
from device_agents.linux.errors import AgentError
from device_agents.linux.inflate import inflate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STEP = 256 * 1024
"""Most bytes that are put together at a time, however long an operation is."""


def patch(pieces: Iterable[bytes | memoryview], base: int, size: int) -> Iterator[bytes]:
    """What a delta stands for, in a fixed amount of memory; docs/protocol.md, "Deltas", has the format.

    Args:
        pieces: the deflate stream of its operations, cut anywhere.
        base: descriptor of the blob that it starts from.
        size: the bytes that it must stand for.

    Raises:
        AgentError: E_VERIFY when it is no delta, reaches beyond the base, or stands for more than `size` bytes;
            E_PROTOCOL when it stops before its end.
    """
    reader = _Reader(inflate(pieces, 2 * size + 64))  # whose operations are worth 13 bytes each on average
    left = size
    while head := reader.take(protocol.DELTA_OPERATION.size):
        if len(head) < protocol.DELTA_OPERATION.size:
            raise _refused("it ends within an operation")
        kind, count, at = protocol.DELTA_OPERATION.unpack(head)
        if kind not in protocol.DELTA_KINDS:
            raise _refused(f"there is no operation {kind}")
        if not 0 < count <= left:
            raise _refused(f"an operation stands for {count} bytes, {left} are missing")
        left -= count
        for done in range(0, count, _STEP):
            step = min(_STEP, count - done)
            if kind == protocol.DELTA_COPY:
                yield _read(base, at + done, step)
            elif kind == protocol.DELTA_ADD:
                yield add(_exactly(reader, step), _read(base, at + done, step))
            else:
                yield _exactly(reader, step)


def add(one: bytes, other: bytes) -> bytes:
    """The sums of bytes modulo 256, for two strings of one length.

    All at once, as whole numbers: the low seven bits of each byte are added, which carries into its top bit at most,
    and the top bits are added without a carry, which is XOR (Warren, Hacker's Delight, section 2-18).
    """
    size = len(one)
    first, second = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    low, top = int.from_bytes(b"\x7f" * size, "little"), int.from_bytes(b"\x80" * size, "little")
    return (((first & low) + (second & low)) ^ ((first ^ second) & top)).to_bytes(size, "little")


class _Reader:
    """The decoded operations, as many bytes at a time as are asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = bytearray()

    def take(self, count: int) -> bytes:
        """So many bytes, or what is left of them at the end."""
        while len(self._buffer) < count:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._buffer += piece
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _exactly(reader: _Reader, count: int) -> bytes:
    data = reader.take(count)
    if len(data) < count:
        raise _refused("it ends within an operation")
    return data


def _read(base: int, at: int, count: int) -> bytes:
    try:
        data = os.pread(base, count, at)
    except OverflowError as cause:  # beyond what a file can have
        raise _refused(f"it reads the base at {at}") from cause
    if len(data) < count:
        raise _refused(f"it reads {count} bytes of the base at {at}, which has fewer")
    return data


def _refused(reason: str) -> AgentError:
    return AgentError("E_VERIFY", f"the delta is refused: {reason}", "stage the file without a base")
