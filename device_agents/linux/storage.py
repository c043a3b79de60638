"""Facts about the disk below ROOT, and the check that there is room before anything is written."""

from __future__ import annotations

import os

from device_agents.linux.errors import FULL_HINT, AgentError, mib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORGETFUL = {"overlay": "an overlay", "tmpfs": "memory (tmpfs)", "ramfs": "memory (ramfs)", "squashfs": "squashfs"}
_MAX_RESERVE = 4 * 1024 * 1024
_SPARE_INODES = 16


def facts(path: str) -> dict[str, Any]:
    """Free and total bytes, free inodes (None where the file system has no such count), and whether ROOT lasts."""
    disk = os.statvfs(path)
    kind = file_system(path)
    warnings = []
    if kind in _FORGETFUL:
        warnings.append(f"{path} lies on {_FORGETFUL[kind]}: what is deployed may be gone after a reboot")
    if disk.f_flag & os.ST_RDONLY:
        warnings.append(f"{path} is mounted read-only")
    return {
        "free_bytes": disk.f_bavail * disk.f_frsize,
        "total_bytes": disk.f_blocks * disk.f_frsize,
        "free_inodes": disk.f_favail if disk.f_files else None,
        "durable": kind not in _FORGETFUL,
        "warnings": warnings,
    }


def file_system(path: str) -> str | None:
    """The type of the file system that holds `path`, e.g. "ext4"; None when the kernel does not tell."""
    best, kind = -1, None
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.readlines()
    except OSError:
        return None
    real = os.path.realpath(path) + "/"
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = before.split()[4].replace("\\040", " ").rstrip("/") + "/"
        if real.startswith(mount) and len(mount) >= best:  # a later mount on the same point hides the earlier one
            best, kind = len(mount), after.split()[0]
    return kind


def require(path: str, new_bytes: int, files: int = 1) -> None:
    """Refuse before the first write what would fill the disk.

    Needed are 1.1 x the new bytes (blocks, folders, journal) and a reserve for the manifest, state.json and the links
    that follow: 4 MiB, but at most 1/50 of the disk, so that small partitions stay usable.

    Raises:
        AgentError: E_STORAGE with path, need_bytes and free_bytes.
    """
    disk = os.statvfs(path)
    free = disk.f_bavail * disk.f_frsize
    need = new_bytes + new_bytes // 10 + min(_MAX_RESERVE, disk.f_blocks * disk.f_frsize // 50)
    if free < need:
        raise AgentError(
            "E_STORAGE",
            f"{path}: {mib(need, up=True)} are needed, {mib(free)} are free",
            FULL_HINT,
            path=path,
            errno="ENOSPC",
            need_bytes=need,
            free_bytes=free,
        )
    if disk.f_files and disk.f_favail < files + _SPARE_INODES:
        raise AgentError(
            "E_STORAGE",
            f"{path}: {files + _SPARE_INODES} inodes are needed, {disk.f_favail} are free",
            "remove some files",
            path=path,
            errno="ENOSPC",
            need_bytes=need,
            free_bytes=free,
        )
