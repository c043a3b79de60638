"""Uploads: where their bytes are, how they travel, and what became of them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgekit.device.delta import Delta

_THOROUGH_BYTES = 256 * 1024
"""Up to here deflate may take its time (level 9), so that what travels is what a zip archive would hold.

With weights of which four in five are zero level 9 does 0.5 MB/s, level 6 does 6 MB/s. Level 1 does 17 MB/s and more
with anything, and so keeps up with 100 Mbit/s, at up to a quarter more bytes than level 9.
"""

_PIECES, _PIECE_BYTES = 8, 64 * 1024


class PayloadSource(Protocol):
    """Bytes that can be sent from any offset on: an open file, or io.BytesIO."""

    def seek(self, offset: int, /) -> int:
        """Go to a byte."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes from there; b"" at the end."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A payload for the agent.

    Attributes:
        source: where its bytes are.
        size_bytes: how many it has.
        encoding: how they travel, one of the agent's `Hello.encodings`; None for plain.
        delta: what differs from a blob that the device has, for the encoding delta.
    """

    source: PayloadSource
    size_bytes: int
    encoding: str | None = None
    delta: Delta | None = None

    def packed(self, pieces: Iterable[bytes], size_bytes: int) -> Iterable[bytes]:
        """What travels for pieces that stand for so many bytes."""
        return pieces if self.encoding is None else deflated(pieces, size_bytes)

    def pieces(self, ranges: Sequence[tuple[int, int]], most_bytes: int) -> Iterator[tuple[bytes, int]]:
        """What is to be sent for stretches of the file, each piece with the number of bytes that it stands for.

        Args:
            ranges: first byte of each stretch, and the one behind its last.
            most_bytes: longest piece of a file.
        """
        for begin, end in ranges:
            if self.delta is not None:
                yield from self.delta.pieces(begin, end)
                continue
            self.source.seek(begin)
            while begin < end:
                piece = self.source.read(min(most_bytes, end - begin))
                if not piece:
                    return  # the source shrank; the agent's check of size and digest says so
                begin += len(piece)
                yield piece, len(piece)


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """A blob on the device.

    Attributes:
        sha256: its name.
        sent_bytes: bytes of it that were sent now; less than its size when an upload was resumed.
        transferred_bytes: what travelled for them; less where they were compressed, or differed little from the base.
        already: it was there, nothing was sent.
    """

    sha256: str
    sent_bytes: int
    transferred_bytes: int
    already: bool


def deflate_gains(source: PayloadSource, size_bytes: int) -> bool:
    """Whether deflate saves a tenth at least, judged by 64 KiB from each eighth of the bytes."""
    seen, packed = _sampled(source, size_bytes)
    return packed * 10 <= seen * 9


def delta_gains(delta: Delta, source: PayloadSource, size_bytes: int) -> bool:
    """Whether a delta saves a tenth at least of what the file would take, plain or by `deflate_gains`' estimate."""
    seen, packed = _sampled(source, size_bytes)
    whole = size_bytes * min(packed, seen) / max(1, seen)
    return delta_bytes(delta, size_bytes) * 10 <= whole * 9


def delta_bytes(delta: Delta, size_bytes: int) -> int:
    """What travels for a whole file as a delta."""
    return sum(map(len, deflated((piece for piece, _ in delta.pieces(0, size_bytes)), size_bytes)))


def deflated(chunks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """A deflate stream (RFC 1951) in pieces, none of them empty.

    Args:
        chunks: what it stands for.
        size_bytes: of all chunks together.
    """
    packer = _packer(9 if size_bytes <= _THOROUGH_BYTES else 1)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def transfer_bytes(data: bytes) -> int:
    """What the upload of a whole file to a remote device takes; frames and the transport's own bytes aside.

    Deflate is no canonical form: another zlib may find a few bytes more or less.
    """
    if not deflate_gains(io.BytesIO(data), len(data)):
        return len(data)
    return sum(map(len, deflated([data], len(data))))


def _sampled(source: PayloadSource, size_bytes: int) -> tuple[int, int]:
    """Bytes of a sample, and what deflate makes of them."""
    packer = _packer(1)
    seen = packed = 0
    for offset in range(0, size_bytes, max(_PIECE_BYTES, -(-size_bytes // _PIECES))):
        source.seek(offset)
        piece = source.read(min(_PIECE_BYTES, size_bytes - offset))
        seen += len(piece)
        packed += len(packer.compress(piece))
    return seen, packed + len(packer.flush())


def _packer(level: int) -> zlib._Compress:
    return zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
