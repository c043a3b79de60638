"""Who this machine is, and how to read what its kernel tells.

What cannot be read is None, never 0. Every start of the agent ends here, so what a slow device takes long to import
(platform, socket, subprocess) is imported where it is needed, if at all.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # not typing's: to import it takes as long as all of this on a slow device
if TYPE_CHECKING:
    from typing import Any


def identity() -> dict[str, Any]:
    """Facts that stay the same until the next boot, as the verb hello answers them."""
    return {
        "python": sys.version.split()[0],
        "machine": machine(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "libc": libc(),
        "boot_id": boot_id() or "",
        "machine_id": machine_id() or "",
        "hostname": os.uname().nodename,
        "pid": os.getpid(),
    }


def machine() -> str:
    """The architecture of the user land: a 32-bit Raspberry Pi OS runs on a 64-bit kernel that says aarch64."""
    kernel_says = os.uname().machine
    if sys.maxsize > 2**32:
        return kernel_says
    return {"aarch64": "armv7l", "x86_64": "i686"}.get(kernel_says, kernel_says)


def libc() -> list[str]:
    """Name and version of the C library, e.g. ["glibc", "2.36"]."""
    try:
        parts = (os.confstr("CS_GNU_LIBC_VERSION") or "").split(maxsplit=1)
    except (ValueError, OSError):
        parts = []
    if len(parts) == 2:
        return parts
    import platform

    return list(platform.libc_ver())


def boot_id() -> str | None:
    """A random name of this boot."""
    return read_text("/proc/sys/kernel/random/boot_id")


def machine_id() -> str | None:
    """A name of this installation; machine-id(5) asks not to show the original, so it is a keyed hash of it."""
    import hashlib
    import hmac

    original = read_text("/etc/machine-id")
    return hmac.new(original.encode(), b"edgekit", hashlib.sha256).hexdigest()[:32] if original else None


def memory_total_bytes() -> int | None:
    """MemTotal."""
    return meminfo().get("MemTotal")


def meminfo() -> dict[str, int]:
    """The fields of /proc/meminfo that are sizes, in bytes."""
    facts = {}
    for line in (read_text("/proc/meminfo") or "").splitlines():
        key, _, value = line.partition(":")
        number = value.split()[0] if value.split() else ""
        if number.isdigit():
            facts[key] = int(number) * 1024
    return facts


def read_text(path: str) -> str | None:
    """A small file without white space round it; None if it is empty or cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(256 * 1024).decode("utf-8", "replace").strip("\0\n ") or None
    except OSError:
        return None


def read_number(path: str) -> int | None:
    """The whole number in a file."""
    text = read_text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def tasks() -> int | None:
    """Processes and threads of the whole machine, from the fourth field of /proc/loadavg."""
    fields = (read_text("/proc/loadavg") or "").split()
    count = fields[3].partition("/")[2] if len(fields) > 3 else ""
    return int(count) or None if count.isdigit() else None


def boottime_s() -> float:
    """Seconds since the boot, those in which the machine slept too; no step of a wall clock changes them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
