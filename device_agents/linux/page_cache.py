"""The page cache: what makes the second load of a file quicker than the first one after a boot."""

from __future__ import annotations

import ctypes
import mmap
import os


def drop(descriptor: int) -> bool:
    """Drop a file's pages; whether none is left.

    The kernel keeps pages that are dirty or mapped by someone, and a file system in memory keeps all of them, and none
    of this is an error of posix_fadvise: so mincore(2) is asked afterwards.
    """
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return not _is_resident(descriptor)
    except (OSError, ValueError, AttributeError):
        return False


def _is_resident(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY) as view:  # private; ctypes takes no read-only buffer
        start = ctypes.c_char.from_buffer(view)
        failed = ctypes.CDLL(None, use_errno=True).mincore(
            ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), pages
        )
        del start  # the view cannot be closed while it is pointed at
    if failed:
        raise OSError(ctypes.get_errno(), "mincore")
    return any(page & 1 for page in pages)
