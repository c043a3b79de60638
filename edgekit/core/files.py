"""Files that are either the old one or the new one, and user input that is opened with care."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edgekit.core.errors import InputError, StorageError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full, read-only or failing disk into a StorageError that names the path."""
    try:
        yield
    except OSError as cause:
        if cause.errno in _NO_SPACE:
            raise StorageError(
                f"cannot write {path}: {os.strerror(cause.errno or 0)}",
                hint="free some space, or choose another folder",
            ) from cause
        raise


@contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A new file under a temporary name; the end of the block fsyncs it and renames it into place.

    Raises:
        StorageError: the disk is full or fails; the old file is untouched, as it is when the block fails.
        InputError: the folder cannot be written to.
    """
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder", hint="give the name of a file")
    with storage_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        except (PermissionError, NotADirectoryError, FileExistsError, FileNotFoundError) as cause:
            raise InputError(
                f"cannot write {path}: {cause.strerror}", hint="choose a folder that you may write to"
            ) from cause
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
            fsync_folder(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file under a temporary name, fsync it, then rename it into place.

    Raises:
        StorageError: the disk is full or fails; the old file is untouched.
        InputError: the folder cannot be written to.
    """
    with replacing(path, mode=mode) as file:
        file.write(data)


def fsync_folder(path: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_readable(path: Path, *, what: str, folder_allowed: bool = False) -> None:
    """Refuse what is not a readable regular file (or folder), before anything opens it and blocks.

    Args:
        path: what the user gave.
        what: what it is for, e.g. "model" (appears in the message).
        folder_allowed: a folder is fine too.

    Raises:
        InputError: it is missing, a dangling link, a fifo, a device, a folder, or not readable.
    """
    try:
        kind = path.stat().st_mode
    except OSError as cause:
        is_link = os.path.islink(path)  # noqa: PTH114 -- Path's raises on a name that is too long
        reason = "is a dangling link" if is_link else f"cannot be read: {cause.strerror}"
        if isinstance(cause, FileNotFoundError) and not is_link:
            reason = "does not exist"
        raise InputError(f"the {what} {path} {reason}", hint="check the path") from cause
    except ValueError as cause:
        raise InputError(f"the {what} {str(path)!a} has no name that a file can have", hint="check the path") from cause
    if stat.S_ISDIR(kind) and not folder_allowed:
        raise InputError(f"the {what} {path} is a folder", hint="give a file")
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise InputError(f"the {what} {path} is not a regular file", hint="copy it into a file first")
    if not os.access(path, os.R_OK):
        raise InputError(f"the {what} {path} may not be read by this user", hint=f"chmod u+r {path}")
