"""Facts about the machine that explain a measurement: who it is, and the state it is in right now.

What cannot be read is None, never 0. Every start of the agent ends here, so what a slow device takes long to import
(platform, socket, subprocess) is imported where it is needed, if at all.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # not typing's: to import it takes as long as all of this on a slow device
if TYPE_CHECKING:
    from typing import Any

_CPU = "/sys/devices/system/cpu/cpu{}/cpufreq/{}"
_VCGENCMD_TIMEOUT_S = 2.0
_CPUINFO_KEYS = ("model name", "Model", "Hardware", "Revision", "CPU implementer", "CPU part", "Features", "flags")


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
    return _text("/proc/sys/kernel/random/boot_id")


def machine_id() -> str | None:
    """A name of this installation; machine-id(5) asks not to show the original, so it is a keyed hash of it."""
    import hashlib
    import hmac

    original = _text("/etc/machine-id")
    return hmac.new(original.encode(), b"edgekit", hashlib.sha256).hexdigest()[:32] if original else None


def snapshot() -> dict[str, Any]:
    """What the machine is and how it is doing now; some files are read, at most one program is run (2 s at most)."""
    cpus = sorted(os.sched_getaffinity(0))  # os.cpu_count() also counts the cores that we may not use
    first = cpus[0]
    memory = _memory()
    return {
        "board": _text("/proc/device-tree/model") or _text("/sys/firmware/devicetree/base/model"),
        "cpu": _cpuinfo(),
        "cores": os.cpu_count(),
        "affinity": cpus,
        "kernel": os.uname().release,
        "machine": machine(),
        "python": sys.version.split()[0],
        "libc": libc(),
        "boot_id": boot_id(),
        "memory_total_bytes": memory.get("MemTotal"),
        "memory_available_bytes": memory.get("MemAvailable"),
        "swap_total_bytes": memory.get("SwapTotal"),
        "swap_free_bytes": memory.get("SwapFree"),
        "governor": _text(_CPU.format(first, "scaling_governor")),
        "frequency_khz": {str(cpu): _number(_CPU.format(cpu, "scaling_cur_freq")) for cpu in cpus},
        "frequency_max_khz": _number(_CPU.format(first, "cpuinfo_max_freq")),
        "temperatures_c": _temperatures(),
        "throttled": _throttled(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "qemu_cpu": os.environ.get("QEMU_CPU"),
    }


def memory_total_bytes() -> int | None:
    """MemTotal."""
    return _memory().get("MemTotal")


def _memory() -> dict[str, int]:
    facts = {}
    for line in (_text("/proc/meminfo") or "").splitlines():
        key, _, value = line.partition(":")
        number = value.split()[0] if value.split() else ""
        if number.isdigit():
            facts[key] = int(number) * 1024
    return facts


def _cpuinfo() -> dict[str, str]:
    """The first core's telling lines of /proc/cpuinfo, and the board's (which stand behind the last core)."""
    facts: dict[str, str] = {}
    for line in (_text("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in _CPUINFO_KEYS:
            facts.setdefault(key.strip(), value.strip())
    return facts


def _temperatures() -> dict[str, float]:
    import glob

    found = {}
    for zone in sorted(glob.glob("/sys/class/thermal/thermal_zone*")):
        millidegrees = _number(os.path.join(zone, "temp"))
        if millidegrees is not None:
            name = _text(os.path.join(zone, "type")) or os.path.basename(zone)
            found[f"{os.path.basename(zone)}/{name}"] = millidegrees / 1000
    return found


def _throttled() -> str | None:
    """The Raspberry Pi firmware's word on voltage and heat, e.g. "0x50005"; bits 0-3 are live, 16-19 sticky."""
    import shutil
    import subprocess

    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, "get_throttled"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_VCGENCMD_TIMEOUT_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.decode("ascii", "replace").strip().partition("=")[2] or None


def _text(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return file.read(256 * 1024).decode("utf-8", "replace").strip("\0\n ") or None
    except OSError:
        return None


def _number(path: str) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None
