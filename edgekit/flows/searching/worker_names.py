"""Names of workers, by which everybody on the same computer can tell whether one still runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def name_of(pid: int) -> str:
    """Host, boot, PID name space, PID and start time of a process: no other process ever has the same.

    Returns:
        "host/boot.namespace/pid/ticks"; ticks is "gone" for a process that does not run. Start times count clock ticks
        since the boot (proc(5), field 22 of /proc/PID/stat).
    """
    return f"{socket.gethostname()}/{_boot()}/{pid}/{_started(pid) or 'gone'}"


def is_running(name: str) -> bool:
    """Whether the worker of a name runs on this computer; False for those of others."""
    parts = name.split("/")
    return len(parts) == 4 and parts[2].isdecimal() and parts[3] != "gone" and name_of(int(parts[2])) == name


def _boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{boot}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:  # no Linux
        return "-"


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks; None for one that is gone, or dead and not waited for."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _started_elsewhere(pid)
    fields = text.rpartition(")")[2].split()  # a name may hold spaces and brackets
    return None if fields[0] in "ZX" else fields[19]


def _started_elsewhere(pid: int) -> str | None:
    """Without /proc only the PID is known."""
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except OSError:
        return None
    return "0"
