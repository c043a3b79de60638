"""The state of the machine and its set-up, from a kernel's files that the test wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from device_agents.linux import conditions, environment, snapshot

CPUFREQ = "/sys/devices/system/cpu/cpu0/cpufreq"
FILES = {
    "/proc/stat": "cpu  9 9 9 9 9 9 9 9\ncpu0 100 10 20 1000 5 1 2 3 50 60\ncpu1 1 1 1 1 1 1 1 1\nintr 5\n",
    "/proc/vmstat": "pgpgin 5\npswpin 40\npswpout 2\npswpinx 7\n",
    "/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable:  600 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "/sys/class/thermal/thermal_zone0/temp": "61250\n",
    "/sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "/sys/class/thermal/thermal_zone1/temp": "40000\n",
    "/sys/class/thermal/cooling_device0/temp": "99000\n",
    f"{CPUFREQ}/scaling_cur_freq": "1500000\n",
    f"{CPUFREQ}/scaling_governor": "ondemand\n",
    "/sys/devices/system/cpu/isolated": "2-3\n",
}
KNOWN = {
    "busy_ticks": 100 + 10 + 20 + 1 + 2 + 3,
    "all_ticks": 100 + 10 + 20 + 1000 + 5 + 1 + 2 + 3,
    "swapped_pages": 42,
    "available_bytes": 600 * 1024,
    "temperature_c": 61.25,
    "frequency_khz": {"0": 1_500_000},
    "throttled": 0x50005,
}


class Machine:
    """A folder that stands for /proc and /sys, and a vcgencmd; a machine that has core 0."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            place = self._folder / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    def firmware_does(self, command: str) -> None:
        program = self._folder / "vcgencmd"
        program.write_text(f"#!/bin/sh\n{command}\n")
        program.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    def redirected(path: str, mode: str) -> Any:
        return Path(f"{tmp_path}{path}" if path.startswith(("/proc", "/sys")) else path).open(mode)

    monkeypatch.setattr(environment, "open", redirected, raising=False)
    monkeypatch.setattr(conditions, "_THERMAL", f"{tmp_path}/sys/class/thermal")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setenv("PATH", str(tmp_path))
    return Machine(tmp_path)


def test_conditions_tell_what_the_kernel_and_the_firmware_tell(machine: Machine) -> None:
    machine.has(FILES)
    machine.firmware_does("echo throttled=0x50005")

    found = conditions.now()

    assert {key: found[key] for key in KNOWN} == KNOWN
    assert abs(found["realtime_ns"] - found["monotonic_ns"]) > 0
    assert found["cpu_ns"] > 0


def test_conditions_are_null_where_the_machine_tells_nothing(machine: Machine) -> None:
    found = conditions.now()

    assert {key: found[key] for key in KNOWN} == {**dict.fromkeys(KNOWN), "frequency_khz": {"0": None}}


@pytest.mark.parametrize("command", ["exit 255", "echo throttled=", "echo VCHI initialization failed", "kill -9 $$"])
def test_firmware_that_does_not_answer_tells_no_bits(machine: Machine, command: str) -> None:
    machine.firmware_does(command)

    assert conditions.throttled() is None


def test_ticks_of_a_core_that_is_switched_off_are_not_known(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.has(FILES)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 7})

    assert conditions.now()["busy_ticks"] is None


def test_snapshot_decodes_the_bits_of_the_firmware(machine: Machine) -> None:
    machine.has(FILES)
    machine.firmware_does("echo throttled=0x50005")

    found = snapshot.take()

    assert found["throttled"] == "0x50005"
    assert found["throttled_now"] == ["undervoltage", "throttled"]
    assert found["throttled_since_boot"] == ["undervoltage", "throttled"]


def test_snapshot_tells_how_the_machine_is_set_up(machine: Machine) -> None:
    machine.has(FILES)

    found = snapshot.take()

    assert (found["governor"], found["governors"]) == ("ondemand", {"0": "ondemand"})
    assert found["isolated_cores"] == "2-3"
    assert found["temperatures_c"] == {"thermal_zone0/cpu-thermal": 61.25, "thermal_zone1/thermal_zone1": 40.0}
    assert found["throttled_now"] is None, "no firmware to ask"
    assert found["uptime_s"] > 0


OWN, GROUP = "/proc/self/cgroup", "/sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "memory_bytes", "cores"),
    [
        ({}, None, None),
        ({OWN: "0::/\n", f"{GROUP}/memory.max": "max\n", f"{GROUP}/cpu.max": "max 100000\n"}, None, None),
        ({OWN: "0::/\n", f"{GROUP}/memory.max": "5000\n", f"{GROUP}/cpu.max": "150000 100000\n"}, 5000, 1.5),
        (
            {
                OWN: "0::/a/b\n",
                f"{GROUP}/a/memory.max": "3000\n",
                f"{GROUP}/a/b/memory.max": "5000\n",
                f"{GROUP}/a/b/cpu.max": "50000 100000\n",
            },
            3000,
            0.5,
        ),
        (
            {
                OWN: "5:cpu,cpuacct:/a\n3:memory:/a\n1:name=systemd:/a\n",
                f"{GROUP}/memory/memory.limit_in_bytes": "9223372036854771712\n",
                f"{GROUP}/memory/a/memory.limit_in_bytes": "7000\n",
                f"{GROUP}/cpu/cpu.cfs_quota_us": "-1\n",
                f"{GROUP}/cpu/cpu.cfs_period_us": "100000\n",
                f"{GROUP}/cpu/a/cpu.cfs_quota_us": "20000\n",
                f"{GROUP}/cpu/a/cpu.cfs_period_us": "100000\n",
            },
            7000,
            0.2,
        ),
        ({OWN: "3:memory:/\n", f"{GROUP}/memory/memory.limit_in_bytes": "9223372036854771712\n"}, None, None),
    ],
    ids=["none", "v2 without limits", "v2", "v2 within a group", "v1", "v1 without limits"],
)  # fmt: skip
def test_lowest_limit_of_the_control_groups_is_told(
    machine: Machine, files: dict[str, str], memory_bytes: int | None, cores: float | None
) -> None:
    machine.has(files)

    assert snapshot.take()["cgroup"] == {"memory_max_bytes": memory_bytes, "cpu_max_cores": cores}
