"""Facts about the machine that explain a measurement: what it is, how it is set up, and how it is doing now.

What cannot be read is None, never 0. Who else runs on the machine is nobody's business: of other processes only the
load is told.
"""

from __future__ import annotations

import os
import sys
import time

from device_agents.linux import conditions
from device_agents.linux.environment import boot_id, libc, machine, meminfo, read_number, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CPUINFO_KEYS = ("model name", "Model", "Hardware", "Revision", "CPU implementer", "CPU part", "Features", "flags")
_THROTTLED_BITS = ("undervoltage", "frequency_capped", "throttled", "soft_temperature_limit")
"""Bits 0 to 3 of get_throttled, and 16 to 19 for "since the boot" (Raspberry Pi documentation, vcgencmd)."""

_CGROUP = "/sys/fs/cgroup"
_NO_LIMIT = 1 << 60
"""Version 1 of cgroups writes the largest number of pages where there is no limit."""


def take() -> dict[str, Any]:
    """What the machine is and how it is doing now; some files are read, at most one program is run (2 s at most)."""
    cores = sorted(os.sched_getaffinity(0))  # os.cpu_count() also counts the cores that we may not use
    memory, state = meminfo(), conditions.now()
    bits = state["throttled"]
    return {
        "board": read_text("/proc/device-tree/model") or read_text("/sys/firmware/devicetree/base/model"),
        "cpu": _cpuinfo(),
        "cores": os.cpu_count(),
        "affinity": cores,
        "isolated_cores": read_text("/sys/devices/system/cpu/isolated"),
        "kernel": os.uname().release,
        "machine": machine(),
        "python": sys.version.split()[0],
        "libc": libc(),
        "boot_id": boot_id(),
        "uptime_s": round(time.clock_gettime(time.CLOCK_BOOTTIME)),
        "memory_total_bytes": memory.get("MemTotal"),
        "memory_available_bytes": memory.get("MemAvailable"),
        "swap_total_bytes": memory.get("SwapTotal"),
        "swap_free_bytes": memory.get("SwapFree"),
        "cgroup": {"memory_max_bytes": _cgroup_memory(), "cpu_max_cores": _cgroup_cpu()},
        "governor": read_text(conditions.CPUFREQ.format(cores[0], "scaling_governor")),
        "governors": {str(core): read_text(conditions.CPUFREQ.format(core, "scaling_governor")) for core in cores},
        "frequency_khz": state["frequency_khz"],
        "frequency_max_khz": read_number(conditions.CPUFREQ.format(cores[0], "cpuinfo_max_freq")),
        "temperatures_c": conditions.temperatures_c(),
        "throttled": None if bits is None else hex(bits),
        "throttled_now": None if bits is None else _names(bits),
        "throttled_since_boot": None if bits is None else _names(bits >> 16),
        "load": [round(value, 2) for value in os.getloadavg()],
        "qemu_cpu": os.environ.get("QEMU_CPU"),
        "conditions": state,
    }


def _names(bits: int) -> list[str]:
    return [name for place, name in enumerate(_THROTTLED_BITS) if bits >> place & 1]


def _cpuinfo() -> dict[str, str]:
    """The first core's telling lines of /proc/cpuinfo, and the board's (which stand behind the last core)."""
    facts: dict[str, str] = {}
    for line in (read_text("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in _CPUINFO_KEYS:
            facts.setdefault(key.strip(), value.strip())
    return facts


def _cgroup_memory() -> int | None:
    """The lowest limit of the memory of this control group and of those round it; None without one."""
    limits = [read_number(f"{folder}/memory.max") for folder in _cgroup_folders("")]
    limits += [read_number(f"{folder}/memory.limit_in_bytes") for folder in _cgroup_folders("memory")]
    found = [limit for limit in limits if limit is not None and limit < _NO_LIMIT]
    return min(found) if found else None


def _cgroup_cpu() -> float | None:
    """The lowest share of time, in cores, that this control group and those round it may use; None without a limit."""
    pairs = [(read_text(f"{folder}/cpu.max") or "").split() for folder in _cgroup_folders("")]
    pairs += [
        [read_text(f"{folder}/cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
        for folder in _cgroup_folders("cpu")
    ]
    shares = [int(pair[0]) / int(pair[1]) for pair in pairs if len(pair) == 2 and all(map(str.isdigit, pair))]
    return min(shares) if shares else None


def _cgroup_folders(controller: str) -> list[str]:
    """Our group's folder and those above it (cgroups(7)); no controller is named for version 2."""
    for line in (read_text("/proc/self/cgroup") or "").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            parts = [part for part in path.split("/") if part not in ("", "..")]
            base = os.path.join(_CGROUP, controller)
            return [os.path.join(base, *parts[:depth]) for depth in range(len(parts), -1, -1)]
    return []
