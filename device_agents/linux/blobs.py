"""Content-addressed files, and uploads that go on where a broken connection left them."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress

from device_agents.linux import durable, storage
from device_agents.linux.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from device_agents.linux.root import Root

_RECORD_BYTES = 1024 * 1024
"""After so many new bytes the running digest is noted, so that a resumed upload can prove what it has."""

_SUMS_LIMIT = 4 * 1024 * 1024
_MOST_HOLES = 1000
"""Damaged records that a resume mends; a part with more of them is no longer worth it, and the host is told of each."""


def open_verified(root: Root, digest: str, size: int | None = None) -> int:
    """A descriptor of a blob whose bytes have just been hashed; children get this descriptor, not the path.

    Raises:
        AgentError: E_VERIFY when it is missing, has another size, or other bytes than its name says.
    """
    path = root.blob(digest)
    try:
        descriptor = durable.open_regular(path)
    except FileNotFoundError as cause:
        raise AgentError("E_VERIFY", f"the device has no blob {digest}", "stage it first", blob=digest) from cause
    try:
        found = os.fstat(descriptor).st_size
        if size is not None and found != size:
            raise _damaged(path, f"it has {found} bytes, not {size}", digest)
        if hash_descriptor(descriptor).hexdigest() != digest:
            raise _damaged(path, "its bytes do not have the digest of its name", digest)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def verified(root: Root, wanted: Iterable[tuple[str, int | None]]) -> Iterator[dict[str, int]]:
    """Descriptors by digest of several verified blobs, closed at the end."""
    opened: dict[str, int] = {}
    try:
        for digest, size in wanted:
            if digest not in opened:
                opened[digest] = open_verified(root, digest, size)
        yield opened
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def hash_descriptor(descriptor: int) -> Any:
    """sha256 of a whole file, read at offsets, so that the descriptor's position stays where it is."""
    digest, offset = hashlib.sha256(), 0
    while chunk := os.pread(descriptor, durable.CHUNK, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest


def stage(
    root: Root,
    digest: str,
    size: int,
    begin: Callable[[int, list[tuple[int, int]]], Iterable[bytes | memoryview]],
    may_have_holes: bool = False,
) -> dict[str, Any]:
    """Receive a blob, or what is missing of it.

    Args:
        root: where to.
        digest: its sha256.
        size: its bytes.
        begin: told the offset from which the host shall send, and the damaged stretches before it that it shall send
            ahead of that, gives what it sends; not called when the blob is there.
        may_have_holes: the host can send such stretches.

    Raises:
        AgentError: E_VERIFY when the bytes are not those of `digest`, or not encoded as agreed (they are dropped);
            E_PROTOCOL when the payload ends early (what came is kept); E_STORAGE when there is no room.
    """
    part = _Part(root, digest)
    with suppress(AgentError):  # a damaged blob is received anew and replaced by the rename
        os.close(open_verified(root, digest, size))
        part.discard()
        return {"sha256": digest, "sent": 0, "already": True}
    part.open(may_have_holes)
    try:
        if part.offset > size:
            part.truncate()
        offset, holes = part.offset, list(part.holes)
        storage.require(root.path, size - offset, files=2)
        part.receive(begin(offset, holes), size)
        part.finish(size)
    except OSError:
        part.discard()  # gives the space back; the next try makes a new file
        raise
    finally:
        part.close()
        if part.offset == 0:
            part.discard()
    sent = size - offset + sum(end - start for start, end in holes)
    return {"sha256": digest, "sent": sent, "already": False}


class _Part:
    """`incoming/<sha256>.part` and, beside it, `.sums`: a line "offset sha256-of-all-before crc32" for each record.

    The digest proves everything up to its offset; the checksum, of the bytes since the line before, tells which record
    is damaged when it does not.
    """

    def __init__(self, root: Root, digest: str) -> None:
        self._root = root
        self._digest = digest
        self._path = os.path.join(root.incoming, digest + ".part")
        self._sums_path = os.path.join(root.incoming, digest + ".sums")
        self._data = self._sums = -1
        self._recorded = self._checksum = 0
        self._noted = b""
        self.offset = 0
        self.holes: list[tuple[int, int]] = []
        self._hash = hashlib.sha256()

    def open(self, may_have_holes: bool) -> None:
        """Open the part, new or old, cut back to the last record that is as it was noted.

        Args:
            may_have_holes: damaged records before that one stay, as `holes`; else it is cut back to the first of them.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._data = os.open(self._path, flags, 0o600)
            self._sums = os.open(self._sums_path, flags, 0o600)
            self._verify(may_have_holes)
        except BaseException:
            self.close()
            raise

    def truncate(self) -> None:
        """Start again from byte 0."""
        self.holes = []
        self._cut(_Proven())

    def receive(self, pieces: Iterable[bytes | memoryview], size: int) -> None:
        """Fill the holes, then append, until the payload ends; wrong bytes drop it all, else they are kept."""
        from zlib import crc32

        stream = _Stream(pieces)
        try:
            self._fill(stream)
            while piece := stream.take(self._recorded + _RECORD_BYTES - self.offset):
                if self.offset + len(piece) > size:
                    raise AgentError("E_VERIFY", f"more than the announced {size} bytes arrive", blob=self._digest)
                with durable.naming(self._path, size - self.offset):
                    durable.write_all(self._data, piece)
                self._hash.update(piece)
                self._checksum = crc32(piece, self._checksum)
                self.offset += len(piece)
                if self.offset - self._recorded == _RECORD_BYTES:
                    self._record()
        except BaseException as reason:
            if isinstance(reason, AgentError) and reason.code == "E_VERIFY":
                self.discard()
            else:
                with suppress(OSError):
                    self._record()
            raise

    def finish(self, size: int) -> None:
        """Check, fsync, and move the part among the blobs; the name lasts from the activation on (links.settle).

        The digest is that of the bytes that were written: to read them again would hash the kernel's copy of the same
        pages (docs/adr/0008). Every use of a blob hashes it from the file.
        """
        if self.offset < size:
            self._record()
            raise AgentError("E_PROTOCOL", f"the payload ended after {self.offset} of {size} bytes", "send the rest")
        if self._hash.hexdigest() != self._digest:
            self.discard()
            raise AgentError(
                "E_VERIFY",
                f"the bytes that arrived are not those of {self._digest}",
                "the source changed while it was sent; stage it again",
                blob=self._digest,
            )
        with durable.naming(self._path, size):
            os.fsync(self._data)
        os.fchmod(self._data, 0o400)
        os.rename(self._path, self._root.blob(self._digest))
        with suppress(FileNotFoundError):
            os.unlink(self._sums_path)

    def discard(self) -> None:
        """Remove both files."""
        for path in (self._path, self._sums_path):
            with suppress(FileNotFoundError):
                os.unlink(path)

    def close(self) -> None:
        """Close both files."""
        for descriptor in (self._data, self._sums):
            if descriptor >= 0:
                os.close(descriptor)
        self._data = self._sums = -1

    def _verify(self, may_have_holes: bool) -> None:
        running, position, sums_end = hashlib.sha256(), 0, 0
        good = _Proven()
        damaged: list[tuple[int, int]] = []
        for line in os.pread(self._sums, _SUMS_LIMIT, 0).splitlines(keepends=True):
            words = line.split()
            if len(words) not in (2, 3) or not words[0].isdigit() or int(words[0]) <= position:
                break
            begin, position, sums_end = position, int(words[0]), sums_end + len(line)
            checksum = self._read(begin, position, running)
            if checksum is None:
                break
            if len(words) == 2 and running.hexdigest().encode() != words[1]:
                break  # older agents noted no checksum: the digest alone decides
            if len(words) == 2 or b"%08x" % checksum == words[2]:
                good = _Proven(position, running.copy(), sums_end, words[1])
                self.holes += damaged
                damaged = []
            elif may_have_holes and len(self.holes) + len(damaged) < _MOST_HOLES:
                damaged.append((begin, position))
            else:
                break
        if not self.holes and good.running.hexdigest().encode() != good.noted:
            good = _Proven()
        self._cut(good)

    def _read(self, begin: int, end: int, running: Any) -> int | None:
        """The checksum of a record, which goes into the running digest too; None when the part ends within it."""
        from zlib import crc32

        checksum = 0
        while begin < end:
            chunk = os.pread(self._data, min(durable.CHUNK, end - begin), begin)
            if not chunk:
                return None
            running.update(chunk)
            checksum = crc32(chunk, checksum)
            begin += len(chunk)
        return checksum

    def _fill(self, stream: _Stream) -> None:
        """Put what arrives first into the holes; then all before the offset has to be what it was when it was noted."""
        if not self.holes:
            return
        for begin, end in self.holes:
            while begin < end:
                piece = stream.take(end - begin)
                if not piece:
                    raise AgentError("E_PROTOCOL", f"the payload ended before bytes {begin} to {end}", "send the rest")
                rest = memoryview(piece)
                while rest:
                    with durable.naming(self._path):
                        written = os.pwrite(self._data, rest, begin)
                    rest, begin = rest[written:], begin + written
        self.holes, self._hash = [], hashlib.sha256()
        self._read(0, self.offset, self._hash)
        if self._hash.hexdigest().encode() != self._noted:
            raise AgentError("E_VERIFY", f"{self._path} is damaged beyond repair", "stage it again", blob=self._digest)

    def _cut(self, to: _Proven) -> None:
        for descriptor, path, end in ((self._data, self._path, to.offset), (self._sums, self._sums_path, to.sums_end)):
            with durable.naming(path):
                os.ftruncate(descriptor, end)
                os.lseek(descriptor, end, os.SEEK_SET)
        self.offset = self._recorded = to.offset
        self._hash, self._noted, self._checksum = to.running, to.noted, 0

    def _record(self) -> None:
        if self.offset > self._recorded:
            os.write(self._sums, f"{self.offset} {self._hash.hexdigest()} {self._checksum:08x}\n".encode())
            durable.start_writing(self._data, self._recorded, self.offset)
            self._recorded, self._checksum = self.offset, 0


class _Proven:
    """How far a part can be trusted, by its records.

    Args:
        offset: behind the last good record.
        running: digest of all bytes before it.
        sums_end: where its line in `.sums` ends.
        noted: the digest that this line names.
    """

    def __init__(self, offset: int = 0, running: Any = None, sums_end: int = 0, noted: bytes = b"") -> None:
        self.offset = offset
        self.running = running or hashlib.sha256()
        self.sums_end = sums_end
        self.noted = noted


class _Stream:
    """Pieces of a payload, cut where a record or a hole ends."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = iter(pieces)
        self._left: bytes | memoryview = b""

    def take(self, most: int) -> bytes | memoryview:
        """The next bytes, at most so many; empty at the end of the payload."""
        piece = self._left or next(self._pieces, b"")
        self._left = piece[most:]
        return piece[:most]


def _damaged(path: str, reason: str, digest: str) -> AgentError:
    return AgentError(
        "E_VERIFY",
        f"{path} is damaged: {reason}",
        "deploy again: staging replaces a damaged blob",
        path=path,
        blob=digest,
    )
