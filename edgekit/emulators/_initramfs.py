"""A writer of initramfs archives: cpio in the "newc" format, uncompressed, the same bytes for the same files.

Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst. Each entry is "070701", thirteen numbers of
eight hex digits, the name with a final zero byte, then the data; name and data are padded to four bytes.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAGIC = b"070701"
_END = "TRAILER!!!"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file, folder, link or character device of the archive.

    Attributes:
        path: relative, without a leading slash.
        mode: type and permissions, as in stat(2).
        data: content of a file, or target of a link.
        device: major and minor number of a character device.
    """

    path: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def folder(path: str) -> Entry:
    """A folder, mode 0755."""
    return Entry(path=path, mode=stat.S_IFDIR | 0o755)


def file(path: str, data: bytes, *, mode: int = 0o644) -> Entry:
    """A regular file."""
    return Entry(path=path, mode=stat.S_IFREG | mode, data=data)


def character_device(path: str, major: int, minor: int) -> Entry:
    """A character device, mode 0600."""
    return Entry(path=path, mode=stat.S_IFCHR | 0o600, device=(major, minor))


def write_cpio(entries: Iterable[Entry]) -> bytes:
    """The archive of these entries, in this order; all belong to root and have time 0."""
    parts = [_encode(entry, number) for number, entry in enumerate(entries, start=1)]
    parts.append(_encode(Entry(path=_END, mode=0), 0))
    return b"".join(parts)


def _encode(entry: Entry, inode: int) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    owner = group = time = file_major = file_minor = checksum = 0
    numbers = (
        inode,
        entry.mode,
        owner,
        group,
        links,
        time,
        len(entry.data),
        file_major,
        file_minor,
        *entry.device,
        len(name),
        checksum,
    )
    header = _MAGIC + b"".join(b"%08X" % number for number in numbers)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
