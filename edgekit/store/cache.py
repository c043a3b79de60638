"""A cache of pass results on disk: found by what they depend on, verified by their digest on every read.

ROOT/
  <2 hex>/<key>/content<suffix>   the file
  <2 hex>/<key>/entry.json        its digest, the key in full, the pass's metadata; its mtime is the last use
  .new-*, .old-*                  entries being written and being removed; left behind only by a crash
  .lock                           held while an entry is added or removed; reading needs no lock
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from edgekit.core.caching import CachedFile, CacheKey
from edgekit.core.digest import sha256_file
from edgekit.core.errors import InputError, LockedError, StorageError
from edgekit.core.files import fsync_folder, require_readable, storage_errors
from edgekit.store import _entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LOCK_TIMEOUT_S = 60.0
_ABANDONED_AFTER_S = 24 * 3600.0  # longer than any copy takes


def default_root() -> Path:
    """Where artifacts are cached: `artifacts` in EDGEKIT_CACHE_DIR or else in the user's cache folder."""
    base = os.environ.get("EDGEKIT_CACHE_DIR")
    return (Path(base) if base else user_cache_path("edgekit")) / "artifacts"


@dataclass(frozen=True, kw_only=True)
class DamagedEntry:
    """An entry that was found broken.

    Attributes:
        key: digest of the cache key.
        path: the entry's folder, gone unless the cache may only be read.
        reason: what was wrong, one clause.
    """

    key: str
    path: Path
    reason: str


def say_nothing(_damage: DamagedEntry) -> None:
    """The listener of callers who do not care why something is built again."""


class Cache:
    """Pass results in a folder, shared by any number of processes.

    Args:
        root: the folder; made on the first `put`.
        on_damage: told of each entry that is found broken.
    """

    def __init__(self, root: Path, *, on_damage: Callable[[DamagedEntry], None] = say_nothing) -> None:
        self.root = root
        self._on_damage = on_damage

    def get(self, key: CacheKey) -> CachedFile | None:
        """The file under a key, its content just verified, or None; a broken entry is removed and counts as none.

        Raises:
            InputError: the cache folder may not be read.
            LockedError: a broken entry is to be removed and someone holds the cache for a minute.
        """
        folder = self._folder(key)
        with self._permitted():
            found = _entry.read(folder)
        if isinstance(found, str):
            found = self._discard(folder, reason=found)
        if found is not None:
            _entry.touch(folder)
        return found

    def put(self, key: CacheKey, file: Path, metadata: Mapping[str, Any]) -> CachedFile:
        """Keep a copy of a file; of two writers of one key the first wins, which is fine as both bring the same.

        Args:
            key: what the file was made from.
            file: a regular file, copied; its suffix is kept.
            metadata: a JSON object for whoever gets the file.

        Raises:
            InputError: the file is not a regular file, or the cache folder may not be written to.
            StorageError: the disk is full or fails; no entry is left behind.
            LockedError: someone holds the cache for a minute.
        """
        require_readable(file, what="pass result")
        folder = self._folder(key)
        with storage_errors(folder):
            temporary = self._new_folder(folder.parent)
            try:
                _entry.write(temporary, key, file, metadata)
                with self._locked():
                    return self._install(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def size_bytes(self) -> int:
        """Bytes of all entries, without the file system's overhead."""
        return sum(_entry.size_bytes(folder) for folder in self._entries())

    def prune(self, max_bytes: int) -> int:
        """Remove the least recently used entries until the rest fits, and what crashed writers left behind.

        Args:
            max_bytes: what the cache may keep; 0 empties it.

        Returns:
            Bytes of the removed entries.

        Raises:
            StorageError: the disk may only be read or fails.
            LockedError: someone holds the cache for a minute.
        """
        if not self.root.is_dir():
            return 0
        freed_bytes = 0
        with storage_errors(self.root), self._locked():
            self._sweep()
            sizes = {folder: _entry.size_bytes(folder) for folder in sorted(self._entries(), key=_entry.last_use)}
            excess_bytes = sum(sizes.values()) - max_bytes
            for folder, size in sizes.items():
                if freed_bytes >= excess_bytes:
                    break
                self._remove(folder)
                freed_bytes += size
        return freed_bytes

    def _folder(self, key: CacheKey) -> Path:
        return self.root / key.digest[:2] / key.digest

    def _entries(self) -> Iterator[Path]:
        return self.root.glob("[0-9a-f][0-9a-f]/*")

    def _new_folder(self, parent: Path) -> Path:
        with self._permitted():
            parent.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(dir=self.root, prefix=".new-"))

    @contextmanager
    def _permitted(self) -> Iterator[None]:
        try:
            yield
        except (PermissionError, NotADirectoryError, FileExistsError) as cause:
            raise InputError(
                f"the cache folder {self.root} cannot be used: {cause.strerror}",
                hint="set EDGEKIT_CACHE_DIR to a folder that is yours",
            ) from cause

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout  # who only reads needs no lock

        try:
            with FileLock(self.root / ".lock", timeout=_LOCK_TIMEOUT_S):
                yield
        except Timeout as cause:
            raise LockedError(
                f"the cache {self.root} has been held by another process for {_LOCK_TIMEOUT_S:.0f} s",
                hint="wait for it, or set EDGEKIT_CACHE_DIR to another folder",
            ) from cause

    def _install(self, temporary: Path, folder: Path) -> CachedFile:
        """Move a finished entry to its place, unless a good one is there already."""
        found = _entry.read(folder)
        if not isinstance(found, CachedFile):
            if found is not None:
                self._remove(folder)
            temporary.rename(folder)
            fsync_folder(folder.parent)
            found = _entry.read(folder)
        if not isinstance(found, CachedFile):
            raise StorageError(
                f"{folder} does not hold what was just written: {found}",
                hint="check the disk, or set EDGEKIT_CACHE_DIR to another one",
            )
        return found

    def _discard(self, folder: Path, *, reason: str) -> CachedFile | None:
        with suppress(OSError), self._locked():  # where nothing may be removed, the entry still counts as none
            found = _entry.read(folder)
            if not isinstance(found, str):
                return found  # someone else was faster
            self._remove(folder)
        self._on_damage(DamagedEntry(key=folder.name, path=folder, reason=reason))
        return None

    def _remove(self, folder: Path) -> None:
        """Out of sight in one step, so that no reader meets half an entry."""
        doomed = self.root / f".old-{secrets.token_hex(8)}"
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _sweep(self) -> None:
        for folder in (*self.root.glob(".new-*"), *self.root.glob(".old-*")):
            if time.time() - _entry.last_use(folder) > _ABANDONED_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)


class NoCache:
    """The cache of callers who want none: whatever is put, nothing is found."""

    def get(self, key: CacheKey) -> CachedFile | None:  # noqa: ARG002 -- as the protocol has it
        """Always None."""
        return None

    def put(self, key: CacheKey, file: Path, metadata: Mapping[str, Any]) -> CachedFile:  # noqa: ARG002 -- likewise
        """The file itself, where it is."""
        return CachedFile(path=file, digest=sha256_file(file), size_bytes=file.stat().st_size, metadata=metadata)
