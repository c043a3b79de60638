"""The one exception that crosses from a verb to the host, and the words for what the system refuses."""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STORAGE_ERRNOS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EACCES,
        errno.EPERM,
        errno.EFBIG,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENOENT,
    }
)
"""What a file system says when it cannot keep our bytes; anything else from the system is E_DEVICE."""


class AgentError(Exception):
    """An answer that is not a result.

    Args:
        code: a code of edgekit/core/errors.py, e.g. "E_STORAGE".
        message: the thing and the value, one sentence.
        hint: the next step, or None.
        details: facts for machines.
    """

    def __init__(self, code: str, message: str, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details

    def as_json(self) -> dict[str, Any]:
        """The `error` object of the protocol."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "details": self.details}


class HostGoneError(Exception):
    """The host closed its end, or fell silent in the middle of a payload."""


class TerminatedError(BaseException):
    """SIGTERM, SIGHUP or SIGINT; a BaseException, so that no verb takes it for a failure of its own."""


def from_oserror(cause: OSError, root: str) -> AgentError:
    """The protocol error for an OSError that a verb did not expect.

    Args:
        cause: its `filename` and, if the raiser set it, `need_bytes` go into the details.
        root: ROOT, whose file system is asked for its free bytes.
    """
    path = os.fsdecode(cause.filename) if isinstance(cause.filename, (str, bytes)) else root
    name = errno.errorcode.get(cause.errno or 0, "unknown")
    if cause.errno not in STORAGE_ERRNOS:
        return AgentError("E_DEVICE", f"{path}: {cause.strerror or cause}", path=path, errno=name)
    free = free_bytes(root)
    need: int | None = getattr(cause, "need_bytes", None)
    space = [] if need is None else [f"{mib(need, up=True)} are needed"]
    space += [] if free is None else [f"{mib(free)} are free"]
    return AgentError(
        "E_STORAGE",
        "; ".join([f"{path}: {cause.strerror}", ", ".join(space)] if space else [f"{path}: {cause.strerror}"]),
        _STORAGE_HINTS.get(cause.errno or 0, f"check the disk and the owner of {root}"),
        path=path,
        errno=name,
        need_bytes=need,
        free_bytes=free,
    )


def free_bytes(path: str) -> int | None:
    """Bytes that an ordinary user can still write on the file system of `path`; None if it will not say."""
    try:
        facts = os.statvfs(path)
    except OSError:
        return None
    return facts.f_bavail * facts.f_frsize


def mib(size_bytes: int, *, up: bool = False) -> str:
    """For people, e.g. "12.3 MiB"; rounded up for what is needed and down for what is there, so that they differ."""
    tenths = -(-size_bytes * 10 // MIB) if up else size_bytes * 10 // MIB
    return f"{tenths / 10:.1f} MiB"


MIB = 1024 * 1024
FULL_HINT = "free some space: edgekit devices collect NAME, or remove other files there"
_STORAGE_HINTS = {
    errno.ENOSPC: FULL_HINT,
    errno.EDQUOT: "the user's disk quota is used up",
    errno.EROFS: "the file system is mounted read-only; a worn SD card turns itself read-only",
    errno.EIO: "the disk reports an I/O error; check the kernel log (dmesg)",
}
