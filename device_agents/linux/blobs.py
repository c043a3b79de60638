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


def stage(root: Root, digest: str, size: int, begin: Callable[[int], Iterable[bytes | memoryview]]) -> dict[str, Any]:
    """Receive a blob, or what is missing of it.

    Args:
        root: where to.
        digest: its sha256.
        size: its bytes.
        begin: told the offset from which the host shall send, gives what it sends; not called when the blob is there.

    Raises:
        AgentError: E_VERIFY when the bytes are not those of `digest`, or not encoded as agreed (they are dropped);
            E_PROTOCOL when the payload ends early (what came is kept); E_STORAGE when there is no room.
    """
    part = _Part(root, digest)
    with suppress(AgentError):  # a damaged blob is received anew and replaced by the rename
        os.close(open_verified(root, digest, size))
        part.discard()
        return {"sha256": digest, "sent": 0, "already": True}
    part.open()
    try:
        offset = part.offset
        if offset > size:
            part.truncate()
            offset = 0
        storage.require(root.path, size - offset, files=2)
        part.receive(begin(offset), size)
        part.finish(size)
    except OSError:
        part.discard()  # gives the space back; the next try makes a new file
        raise
    finally:
        part.close()
        if part.offset == 0:
            part.discard()
    return {"sha256": digest, "sent": size - offset, "already": False}


class _Part:
    """`incoming/<sha256>.part` and, beside it, `.sums`: lines of "offset digest-of-everything-before"."""

    def __init__(self, root: Root, digest: str) -> None:
        self._root = root
        self._digest = digest
        self._path = os.path.join(root.incoming, digest + ".part")
        self._sums_path = os.path.join(root.incoming, digest + ".sums")
        self._data = self._sums = -1
        self._recorded = 0
        self.offset = 0
        self._hash = hashlib.sha256()

    def open(self) -> None:
        """Open the part, new or old, cut back to the last offset whose digest was noted and still holds."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._data = os.open(self._path, flags, 0o600)
            self._sums = os.open(self._sums_path, flags, 0o600)
            self._verify()
        except BaseException:
            self.close()
            raise

    def truncate(self) -> None:
        """Start again from byte 0."""
        self._cut(0, hashlib.sha256(), 0)

    def receive(self, pieces: Iterable[bytes | memoryview], size: int) -> None:
        """Append pieces until the payload ends; wrong ones drop it all, else what has arrived is noted for a resume."""
        try:
            for piece in pieces:
                if self.offset + len(piece) > size:
                    raise AgentError("E_VERIFY", f"more than the announced {size} bytes arrive", blob=self._digest)
                with durable.naming(self._path, size - self.offset):
                    durable.write_all(self._data, piece)
                self._hash.update(piece)
                self.offset += len(piece)
                if self.offset - self._recorded >= _RECORD_BYTES:
                    self._record()
        except BaseException as reason:
            if isinstance(reason, AgentError) and reason.code == "E_VERIFY":
                self.discard()
            else:
                with suppress(OSError):
                    self._record()
            raise

    def finish(self, size: int) -> None:
        """Check, fsync, and move the part among the blobs.

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
        durable.sync_folder(self._root.blobs)
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

    def _verify(self) -> None:
        running, position, sums_end, good = hashlib.sha256(), 0, 0, (0, hashlib.sha256(), 0)
        for line in os.pread(self._sums, _SUMS_LIMIT, 0).splitlines(keepends=True):
            offset, _, noted = line.partition(b" ")
            sums_end += len(line)
            if not offset.isdigit() or int(offset) <= position:
                break
            while position < int(offset):
                chunk = os.pread(self._data, min(durable.CHUNK, int(offset) - position), position)
                if not chunk:
                    break
                running.update(chunk)
                position += len(chunk)
            if position != int(offset) or running.hexdigest().encode() + b"\n" != noted:
                break
            good = (position, running.copy(), sums_end)
        self._cut(*good)

    def _cut(self, offset: int, running: Any, sums_end: int) -> None:
        for descriptor, path, end in ((self._data, self._path, offset), (self._sums, self._sums_path, sums_end)):
            with durable.naming(path):
                os.ftruncate(descriptor, end)
                os.lseek(descriptor, end, os.SEEK_SET)
        self.offset, self._hash, self._recorded = offset, running, offset

    def _record(self) -> None:
        if self.offset > self._recorded:
            os.write(self._sums, f"{self.offset} {self._hash.hexdigest()}\n".encode())
            durable.start_writing(self._data, self._recorded, self.offset)
            self._recorded = self.offset


def _damaged(path: str, reason: str, digest: str) -> AgentError:
    return AgentError(
        "E_VERIFY",
        f"{path} is damaged: {reason}",
        "deploy again: staging replaces a damaged blob",
        path=path,
        blob=digest,
    )
