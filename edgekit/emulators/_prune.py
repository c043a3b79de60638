"""What the cache of shared images holds, which devices need which image, and the removal of the rest."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from edgekit.core.errors import InputError
from edgekit.core.files import storage_errors
from edgekit.emulators._records import list_devices, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgekit.emulators._types import EmulatedDevice

_DEVICES = "devices"
"""Folder of links to the devices that lie on this cache, whatever state folder they are in."""


@dataclass(frozen=True, kw_only=True)
class CachedImage:
    """One folder of the cache.

    Attributes:
        path: the folder.
        size_bytes: what it takes on the disk.
        used_by: names of the devices that need it, running or not.
        is_busy: another process is building it, now.
    """

    path: Path
    size_bytes: int
    used_by: tuple[str, ...] = ()
    is_busy: bool = False

    @property
    def name(self) -> str:
        """Kind and key, e.g. "disk/0123456789abcdef"."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def is_kept(self) -> bool:
        """Whether somebody needs it."""
        return bool(self.used_by) or self.is_busy


def register_user(cache_dir: Path, folder: Path) -> None:
    """Let the cache know of a device before it takes an image."""
    link = _link(cache_dir, folder)
    with storage_errors(link):
        link.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(folder)


def forget_user(cache_dir: Path, folder: Path) -> None:
    """The device is gone."""
    _link(cache_dir, folder).unlink(missing_ok=True)


def prune(cache_dir: Path, *, state_dir: Path, dry_run: bool) -> list[CachedImage]:
    """Remove every image that no device needs; one of a device that is off is kept, its disk lies on it.

    Args:
        cache_dir: root of the cache.
        state_dir: folder of devices that an older edgekit made, which the cache does not know.
        dry_run: remove nothing.

    Returns:
        All images as they were; `is_kept` tells which ones stay.

    Raises:
        StorageError: an image cannot be removed.
    """
    cache_dir = cache_dir.resolve()
    images = []
    for folder in _folders(cache_dir):
        try:
            with FileLock(_lock_of(folder), timeout=0), storage_errors(folder):
                # Under the lock: a device registers itself before it asks for an image, so none is missed here.
                image = CachedImage(
                    path=folder, size_bytes=_disk_bytes(folder), used_by=_users(folder, cache_dir, state_dir)
                )
                if not image.is_kept and not dry_run:
                    _remove(folder)
        except Timeout:
            image = CachedImage(path=folder, size_bytes=_disk_bytes(folder), is_busy=True)
        images.append(image)
    return images


def _link(cache_dir: Path, folder: Path) -> Path:
    return cache_dir / _DEVICES / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def _folders(cache_dir: Path) -> Iterator[Path]:
    """Images and package lists; the half of one that a dead build has left is removed with its image or by its name."""
    for kind in sorted(cache_dir.glob("*/")):
        if kind.name != _DEVICES:
            yield from sorted(path for path in kind.glob("*/") if not path.is_symlink())


def _lock_of(folder: Path) -> Path:
    """The lock that `_cache.cached` takes to build an image, or apt's own for the package lists."""
    if folder.parent.name == "debian":
        return folder / "lock"
    return folder.parent / f"{folder.name.removesuffix('.part')}.lock"


def _users(folder: Path, cache_dir: Path, state_dir: Path) -> tuple[str, ...]:
    if folder.parent.name == "debian" or folder.suffix == ".part":
        return ()  # only builds use them, and a build holds the lock
    return tuple(sorted({device.name for device in _devices(cache_dir, state_dir) if _needs(device, folder)}))


def _needs(device: EmulatedDevice, folder: Path) -> bool:
    """A device that is starting, or that an older edgekit made, may need any image of its cache."""
    if device.images is None:
        return folder.is_relative_to(device.cache_dir.resolve())
    return folder in device.images


def _devices(cache_dir: Path, state_dir: Path) -> Iterator[EmulatedDevice]:
    yield from list_devices(state_dir)
    for link in sorted((cache_dir / _DEVICES).glob("*")):
        with suppress(InputError):  # a device folder that somebody has removed by hand
            yield read_record(link.readlink())


def _remove(folder: Path) -> None:
    """Under another name first: what is half removed must never look whole."""
    doomed = folder if folder.suffix == ".part" else folder.with_name(f"{folder.name}.part")
    if doomed != folder:
        if doomed.exists():
            shutil.rmtree(doomed)
        folder.rename(doomed)
    shutil.rmtree(doomed)


def _disk_bytes(folder: Path) -> int:
    """Blocks on the disk, a file with several names counted once: images are sparse."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # a build goes on while we look
                facts = os.lstat(os.path.join(parent, name))  # noqa: PTH118 -- thousands of names
                seen[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return sum(seen.values())
