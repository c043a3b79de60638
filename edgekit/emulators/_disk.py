"""Disks of system-mode devices: one ext4 image with the operating system, shared, and a thin layer for each device."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from edgekit.core.errors import EdgekitError, StorageError, UnsupportedError
from edgekit.core.files import write_atomically
from edgekit.emulators._cache import cached
from edgekit.emulators._commands import PATH, run
from edgekit.emulators._rootfs import rootfs_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgekit.emulators._base import OnText
    from edgekit.emulators._device_files import DeviceFile
    from edgekit.emulators._types import MachineSpec

CONFIG_BYTES = 256 * 1024
"""Size of every identity disk: the same for all, because a snapshot remembers the sizes of its disks."""

_TIMEOUT_S = 300
# ext4's own: journal, inode tables, bitmaps.
_FIXED_OVERHEAD_BYTES = 8 * 2**20
_OVERHEAD_SHARE = 0.02
_ROUND_BYTES = 2**20


def base_image(machine: MachineSpec, tree: Path, *, cache_dir: Path, on_event: OnText) -> Path:
    """The folder with `base.img`: an ext4 file system of the tree with `machine.disk_bytes` free.

    Raises:
        StorageError: the disk is full.
        UnsupportedError: a plain user who may neither make user namespaces nor run fakeroot.
    """
    recipe = {"rootfs": rootfs_recipe(machine), "disk_bytes": machine.disk_bytes, "layout": 3}

    def build(folder: Path) -> None:
        on_event(f"making the system disk ({machine.disk_bytes // 2**20} MiB free)")
        used_bytes = int(run(["du", "--summarize", "--block-size=1", tree], timeout_s=_TIMEOUT_S).split()[0])
        size_bytes = int((used_bytes + machine.disk_bytes) * (1 + _OVERHEAD_SHARE)) + _FIXED_OVERHEAD_BYTES
        image = folder / "base.img"
        with image.open("wb") as file:
            file.truncate(size_bytes // _ROUND_BYTES * _ROUND_BYTES)
        options = [
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-i",
            "16384",
            "-m",
            "0",
            "-E",
            "lazy_itable_init=1,lazy_journal_init=1",
        ]
        run([*as_root(), "mke2fs", *options, "-d", tree, image], timeout_s=_TIMEOUT_S)
        image.chmod(0o444)

    return cached(cache_dir, "disk", recipe, build, must_hold=("base.img",))


def as_root() -> list[str]:
    """A command prefix under which our own files seem to be root's, so that they are root's in an image.

    Raises:
        UnsupportedError: there is no such way here.
    """
    if os.geteuid() == 0:
        return []
    namespace = ["unshare", "--user", "--map-root-user"]
    try:
        run([*namespace, "true"], timeout_s=10)
    except EdgekitError:
        if shutil.which("fakeroot", path=PATH):
            return ["fakeroot", "--"]
    else:
        return namespace
    raise UnsupportedError(
        "a plain user cannot make a disk image with root's files here", hint="sudo apt-get install fakeroot"
    )


def thin_layer(backing: Path, layer: Path, *, backing_format: str) -> None:
    """Make a disk that keeps only what differs from another.

    Raises:
        StorageError: qemu-img failed.
    """
    run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", backing_format, "-b", backing, layer],
        timeout_s=30,
    )


def write_config_disk(path: Path, files: Iterable[DeviceFile]) -> None:
    """Write the device's own files as a tar archive that is a whole small disk, readable by its owner only.

    Raises:
        StorageError: they do not fit, or the host's disk is full.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            header = tarfile.TarInfo(file.path)
            header.size, header.mode = len(file.data), file.mode
            archive.addfile(header, io.BytesIO(file.data))
    data = buffer.getvalue()
    if len(data) > CONFIG_BYTES:
        raise StorageError(f"the device's own files take {len(data)} bytes, more than {CONFIG_BYTES}")
    write_atomically(path, data.ljust(CONFIG_BYTES, b"\0"), mode=0o600)
