"""A memory limit for all processes of a device: a control group of either version, where we may make one."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")
_REMOVE_TIMEOUT_S = 5.0


def limit_memory(folder: Path, limit_bytes: int) -> Path | None:
    """Make the device's group with a limit.

    Args:
        folder: the device's folder; names the group.
        limit_bytes: for all its processes and the files in its memory disk together.

    Returns:
        The group's folder (a process joins by writing 0 into its cgroup.procs), or None when this host has no
        writable memory controller.
    """
    for parent, limit_file in ((_V1, "memory.limit_in_bytes"), (_V2, "memory.max")):
        group = parent / _name(folder)
        try:
            group.mkdir(exist_ok=True)
            # Without the controller the group exists but has no such file, and cannot be given one.
            with (group / limit_file).open("r+", encoding="ascii") as file:
                file.write(str(limit_bytes))
        except OSError:
            _remove(group)
        else:
            return group
    return None


def release_memory_limit(folder: Path) -> None:
    """Remove the device's group; its processes must be dead."""
    for parent in (_V1, _V2):
        _remove(parent / _name(folder))


def _name(folder: Path) -> str:
    return f"edgekit-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def _remove(group: Path) -> None:
    """Remove a group; a process that has just died holds it for a moment."""
    deadline = time.monotonic() + _REMOVE_TIMEOUT_S
    while group.is_dir():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
