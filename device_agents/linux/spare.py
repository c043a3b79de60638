"""Some bytes that are kept for the way back: a disk that others have filled must not keep a device on a bad release.

A rollback writes a few small files, each of which takes the place of an older one only afterwards. A newer edgekit has
to bring its agent first: bootstrap.py gives up the larger of the two files for it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from device_agents.linux import durable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from device_agents.linux.root import Root

    T = TypeVar("T")

_STATE_BYTES = 32 * 1024
_AGENT_BYTES = 256 * 1024
_SHARE_OF_DISK = 50
"""A disk has so many times as much, or nothing is kept on it."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


def keep(root: Root) -> None:
    """Set the spare bytes aside, where they are not yet and the disk has many more; that it fails is no harm."""
    for path, size in ((root.spare, _STATE_BYTES), (root.spare + ".agent", _AGENT_BYTES)):
        with suppress(OSError):
            disk = os.statvfs(root.path)
            is_large = disk.f_blocks * disk.f_frsize > _SHARE_OF_DISK * size
            if is_large and disk.f_bavail * disk.f_frsize > 10 * size and not os.path.lexists(path):
                durable.replace(path, os.urandom(size))  # zeros could be stored as a hole


def lend(root: Root, work: Callable[[], T]) -> T:
    """Do the work; on a full disk once more, with the spare bytes given to it."""
    try:
        return work()
    except OSError as error:
        if error.errno not in _FULL or not _spend(root):
            raise
    return work()


def _spend(root: Root) -> bool:
    try:
        os.unlink(root.spare)
    except OSError:
        return False
    return True
