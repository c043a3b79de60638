"""File primitives that are finished only when the disk has the bytes: every fsync is checked, no link is followed.

After a failed fsync the kernel may have dropped the dirty pages and a second fsync of the same descriptor may succeed
for nothing (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020). So a file whose write
or fsync failed is unlinked here, and the next try makes a new file under a new name.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress

from device_agents.linux import storage
from device_agents.linux.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TEMP_PREFIX = ".tmp-"
CHUNK = 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # O_NONBLOCK: a fifo must not block the open


def temp_name(folder: str) -> str:
    """A name in `folder` that nobody has used; recovery removes what is left under such names."""
    return os.path.join(folder, TEMP_PREFIX + os.urandom(8).hex())


@contextmanager
def naming(path: str, need_bytes: int | None = None) -> Iterator[None]:
    """Give an OSError from a call on a descriptor the path (and size) that its reader needs."""
    try:
        yield
    except OSError as error:
        error.filename = path
        if need_bytes is not None:
            error.need_bytes = need_bytes  # type: ignore[attr-defined]  # read by errors.from_oserror
        raise


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """os.write until everything is written; a write may be short."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def start_writing(descriptor: int, begin: int, end: int) -> None:
    """Let the disk begin with bytes that were just written, so that the fsync at the end finds little left to do.

    Linux starts to write a range that is said to be no longer needed and keeps the pages that it is still writing
    (mm/fadvise.c). Only a hint: a file system that ignores it, and an error of the disk, are left to the fsync.
    """
    with suppress(OSError):
        os.posix_fadvise(descriptor, begin, end - begin, os.POSIX_FADV_DONTNEED)


def create(path: str, data: bytes, mode: int = 0o600) -> None:
    """Write a new file and fsync it; nothing is left under `path` when this fails."""
    descriptor = os.open(path, _NEW, mode)
    try:
        with naming(path, len(data)):
            write_all(descriptor, data)
            os.fsync(descriptor)
    except BaseException:
        os.close(descriptor)
        _remove_quietly(path)
        raise
    os.close(descriptor)


def replace(path: str, data: bytes) -> None:
    """Put `data` under `path` in one step that survives a power cut: temp file, fsync, rename, fsync of the folder."""
    folder = os.path.dirname(path)
    temp = temp_name(folder)
    create(temp, data)
    rename(temp, path)
    sync_folder(folder)


def rename(temp: str, path: str) -> None:
    """os.rename that removes `temp` when it fails. The caller fsyncs the folder."""
    try:
        os.rename(temp, path)
    except BaseException:
        _remove_quietly(temp)
        raise


def point(link: str, target: str | None) -> None:
    """Make `link` a symlink to `target` by a rename over it, or remove it (None). The caller fsyncs the folder."""
    if target is None:
        with suppress(FileNotFoundError):
            os.unlink(link)
        return
    folder = os.path.dirname(link)
    temp = temp_name(folder)
    try:
        with naming(link):  # else the error would name the target
            os.symlink(target, temp)
    except OSError as cause:
        if cause.errno in (errno.EPERM, errno.EOPNOTSUPP):
            raise _without_links(link, folder, cause.errno) from cause
        raise
    rename(temp, link)


def _without_links(link: str, folder: str, number: int) -> AgentError:
    """The answer of vfat and exfat to every symbolic link, on a memory card or stick as it comes from the shop."""
    kind = storage.file_system(folder)
    return AgentError(
        "E_CONFIG",
        f"{link}: the file system of {folder}" + (f", {kind}," if kind else "") + " has no symbolic links",
        "give the device a root folder on ext4 or another file system of Linux: EDGEKIT_ROOT",
        path=link,
        errno=errno.errorcode[number],
        file_system=kind,
    )


def sync_folder(path: str) -> None:
    """Fsync a folder, so that the names in it survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with naming(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: str) -> int:
    """A read-only descriptor of a regular file that is not a link; the caller closes it.

    Raises:
        FileNotFoundError: nothing is there.
        OSError: a link (ELOOP), or not a regular file (EISDIR as the nearest word).
    """
    descriptor = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(21, "not a regular file", path)
    return descriptor


def read_file(path: str, limit: int) -> bytes:
    """The whole of a regular file; a file longer than `limit` bytes raises OSError (EFBIG)."""
    descriptor = open_regular(path)
    try:
        with naming(path):
            data = os.read(descriptor, limit + 1)
            while chunk := os.read(descriptor, CHUNK):
                data += chunk
                if len(data) > limit:
                    break
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise OSError(27, f"longer than {limit} bytes", path)
    return data


def remove_temps(folder: str) -> None:
    """Remove what a dead agent left half-written in `folder`; only the holder of the lock may call this."""
    for name in _names(folder):
        if name.startswith(TEMP_PREFIX):
            remove_tree(os.path.join(folder, name))


def remove_tree(path: str) -> None:
    """Remove a file, a link, or a folder with all that it holds; links are not followed."""
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_folder:
        os.unlink(path)
        return
    for name in _names(path):
        remove_tree(os.path.join(path, name))
    os.rmdir(path)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def _remove_quietly(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
