"""Facts about the machine that explain a measurement: who it is, and the state it is in right now.

What cannot be read is None, never 0.
"""

from __future__ import annotations

import glob
import hashlib
import hmac
import os
import platform
import shutil
import socket
import subprocess
import sys
from typing import Any

_CPU = "/sys/devices/system/cpu/cpu{}/cpufreq/{}"
_VCGENCMD_TIMEOUT_S = 2.0
_CPUINFO_KEYS = ("model name", "Model", "Hardware", "Revision", "CPU implementer", "CPU part", "Features", "flags")


def identity() -> dict[str, Any]:
    """Facts that stay the same until the next boot, as the verb hello answers them."""
    return {
        "python": platform.python_version(),
        "machine": machine(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "libc": list(platform.libc_ver()),
        "boot_id": boot_id() or "",
        "machine_id": machine_id() or "",
        "hostname": socket.gethostname(),
        "pid": os.getpid(),
    }


def machine() -> str:
    """The architecture of the user land: a 32-bit Raspberry Pi OS runs on a 64-bit kernel that says aarch64."""
    kernel_says = platform.machine()
    if sys.maxsize > 2**32:
        return kernel_says
    return {"aarch64": "armv7l", "x86_64": "i686"}.get(kernel_says, kernel_says)


def boot_id() -> str | None:
    """A random name of this boot."""
    return _text("/proc/sys/kernel/random/boot_id")


def machine_id() -> str | None:
    """A name of this installation; machine-id(5) asks not to show the original, so it is a keyed hash of it."""
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
        "kernel": platform.release(),
        "machine": machine(),
        "python": platform.python_version(),
        "libc": list(platform.libc_ver()),
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
    found = {}
    for zone in sorted(glob.glob("/sys/class/thermal/thermal_zone*")):
        millidegrees = _number(os.path.join(zone, "temp"))
        if millidegrees is not None:
            name = _text(os.path.join(zone, "type")) or os.path.basename(zone)
            found[f"{os.path.basename(zone)}/{name}"] = millidegrees / 1000
    return found


def _throttled() -> str | None:
    """The Raspberry Pi firmware's word on voltage and heat, e.g. "0x50005"; bits 0-3 are live, 16-19 sticky."""
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
