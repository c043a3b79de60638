"""The state that the machine is in right now: what is taken before and after a measurement to see what disturbed it.

What cannot be read is None, never 0.
"""

from __future__ import annotations

import os
import time

from device_agents.linux.environment import meminfo, read_number, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CPUFREQ = "/sys/devices/system/cpu/cpu{}/cpufreq/{}"
_THERMAL = "/sys/class/thermal"
_VCGENCMD_TIMEOUT_S = 2.0
_MOST_CORES = 64
"""Frequencies of so many cores are told: each answer has its limit."""


def now() -> dict[str, Any]:
    """K of docs/protocol.md, for the cores that this process may use; at most one program is run (2 s at most)."""
    cores = sorted(os.sched_getaffinity(0))
    busy, total = _ticks(cores)
    temperatures = temperatures_c().values()
    return {
        "monotonic_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC),
        "realtime_ns": time.clock_gettime_ns(time.CLOCK_REALTIME),
        "cpu_ns": time.process_time_ns(),
        "busy_ticks": busy,
        "all_ticks": total,
        "swapped_pages": _swapped_pages(),
        "available_bytes": meminfo().get("MemAvailable"),
        "load": round(os.getloadavg()[0], 2),
        "temperature_c": max(temperatures) if temperatures else None,
        "frequency_khz": {
            str(core): read_number(CPUFREQ.format(core, "scaling_cur_freq")) for core in cores[:_MOST_CORES]
        },
        "throttled": throttled(),
    }


def temperatures_c() -> dict[str, float]:
    """Each thermal zone by its name and type."""
    try:
        zones = sorted(name for name in os.listdir(_THERMAL) if name.startswith("thermal_zone"))
    except OSError:
        zones = []
    found = {}
    for zone in zones:
        millidegrees = read_number(f"{_THERMAL}/{zone}/temp")
        if millidegrees is not None:
            found["{}/{}".format(zone, read_text(f"{_THERMAL}/{zone}/type") or zone)] = millidegrees / 1000
    return found


def throttled() -> int | None:
    """The Raspberry Pi firmware's word on voltage and heat, e.g. 0x50005; bits 0-3 are live, 16-19 sticky."""
    program = _program("vcgencmd")
    if program is None:
        return None
    import subprocess  # a Raspberry Pi's only

    try:
        answer = subprocess.run(
            [program, "get_throttled"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_VCGENCMD_TIMEOUT_S,
            check=True,
        ).stdout
        bits = int(answer.decode("ascii", "replace").strip().partition("=")[2], 16)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return bits if bits >= 0 else None


def _ticks(cores: list[int]) -> tuple[int | None, int | None]:
    """Busy ticks and all ticks of these cores (proc(5), /proc/stat); what a hypervisor stole counts as busy."""
    wanted = {f"cpu{core}" for core in cores}
    busy = total = 0
    for line in (read_text("/proc/stat") or "").splitlines():
        name, *numbers = line.split()
        if name in wanted:
            wanted.remove(name)
            user, nice, system, idle, iowait, irq, softirq, steal = map(int, [*numbers, "0", "0", "0", "0"][:8])
            used = user + nice + system + irq + softirq + steal
            busy += used
            total += used + idle + iowait
    return (None, None) if wanted else (busy, total)


def _swapped_pages() -> int | None:
    """Pages swapped in and out since the boot."""
    rows = (read_text("/proc/vmstat") or "").splitlines()
    counts = [int(row.split()[1]) for row in rows if row.startswith(("pswpin ", "pswpout "))]
    return sum(counts) if counts else None


def _program(name: str) -> str | None:
    """Where it lies (shutil.which, without the imports of shutil)."""
    for folder in os.get_exec_path():
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None
