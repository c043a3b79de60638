"""Uploads: where their bytes are, whether they travel compressed, and what became of them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

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
    """

    source: PayloadSource
    size_bytes: int
    encoding: str | None = None


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """A blob on the device.

    Attributes:
        sha256: its name.
        sent_bytes: bytes of it that were sent now; less than its size when an upload was resumed.
        transferred_bytes: what travelled for them; less where they were compressed.
        already: it was there, nothing was sent.
    """

    sha256: str
    sent_bytes: int
    transferred_bytes: int
    already: bool


def deflate_gains(source: PayloadSource, size_bytes: int) -> bool:
    """Whether deflate saves a tenth at least, judged by 64 KiB from each eighth of the bytes."""
    packer = _packer(1)
    seen = packed = 0
    for offset in range(0, size_bytes, max(_PIECE_BYTES, -(-size_bytes // _PIECES))):
        source.seek(offset)
        piece = source.read(min(_PIECE_BYTES, size_bytes - offset))
        seen += len(piece)
        packed += len(packer.compress(piece))
    packed += len(packer.flush())
    return packed * 10 <= seen * 9


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


def _packer(level: int) -> zlib._Compress:
    return zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
