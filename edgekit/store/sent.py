"""Files that were sent to devices, by digest, so that later ones can travel as what differs from them.

ROOT/<sha256>; the mtime is the last use. A copy that is gone or damaged costs bytes on the next upload and nothing
else, so none of them is worth an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import EdgekitError
from edgekit.core.files import write_atomically

MOST_BYTES = 256 * 1024 * 1024
"""Of all copies together; then those go that were not used for longest."""


def default_root() -> Path:
    """`sent` in EDGEKIT_CACHE_DIR or else in the user's cache folder."""
    base = os.environ.get("EDGEKIT_CACHE_DIR")
    return (Path(base) if base else user_cache_path("edgekit")) / "sent"


class Sent:
    """The copies in a folder, shared by any number of processes.

    Args:
        root: the folder; made when the first copy is kept.
        most_bytes: of all copies.
    """

    def __init__(self, root: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._root = root
        self._most_bytes = most_bytes

    def get(self, sha256: str) -> bytes | None:
        """The file of that digest, verified; None without a good copy."""
        path = self._root / sha256
        with suppress(OSError):
            data = path.read_bytes()
            if sha256_bytes(data) == sha256:
                path.touch()
                return data
            path.unlink()
        return None

    def keep(self, sha256: str, read: Callable[[], bytes]) -> None:
        """Keep a copy, unless there is one.

        Args:
            sha256: of the file.
            read: its bytes, asked for only if there is no copy.
        """
        path = self._root / sha256
        with suppress(OSError, EdgekitError):
            if path.exists():
                path.touch()
                return
            write_atomically(path, read(), mode=0o600)
            self._prune()

    def _prune(self) -> None:
        copies = []
        for path in self._root.iterdir():
            with suppress(FileNotFoundError):  # another process prunes too
                facts = path.stat()
                copies.append((facts.st_mtime_ns, facts.st_size, path))
        excess_bytes = sum(size for _, size, _ in copies) - self._most_bytes
        for _, size, path in sorted(copies):
            if excess_bytes <= 0:
                return
            path.unlink(missing_ok=True)
            excess_bytes -= size
