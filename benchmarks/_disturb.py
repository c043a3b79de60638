"""Disturbances of a machine that is measured: all by processes and files of our own, undone at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._device import Pi
from benchmarks._folders import EDGEKIT

_HOG = """
import os, random, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
bursts = random.Random(int(sys.argv[2]))
while os.getppid() == int(sys.argv[3]):
    end = time.monotonic() + bursts.uniform(0.05, 2)
    while time.monotonic() < end:
        pass
    time.sleep(bursts.uniform(0.05, 2))
"""
"""Bursts of work with rests between, as other programs make them; it ends with whoever started it."""


@contextmanager
def cpu_hogs(per_core: int = 2, *, seed: int = 0) -> Iterator[None]:
    """Other work on every core that this process may use.

    Args:
        per_core: processes on each.
        seed: of the lengths of work and rest.
    """
    cores = sorted(os.sched_getaffinity(0)) * per_core
    hogs = [
        subprocess.Popen([sys.executable, "-c", _HOG, str(core), str(seed + number), str(os.getpid())])
        for number, core in enumerate(cores)
    ]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
        for hog in hogs:
            hog.wait()


@contextmanager
def background_deploys(bundle: Path, folder: Path) -> Iterator[None]:
    """Deploys of a bundle to another device on this computer, one after the other.

    Args:
        bundle: what is deployed.
        folder: the other device's.
    """
    deploy = [*EDGEKIT, "deploy", str(bundle), "--device", f"local://{folder}", "--no-profile"]
    program = f"import os, subprocess\nwhile os.getppid() == {os.getpid()}:\n    subprocess.run({deploy!r})\n"
    deploying = subprocess.Popen(
        [sys.executable, "-c", program],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        os.killpg(deploying.pid, signal.SIGKILL)  # the group of our own session
        deploying.wait()


_CLOCK = r"""
folder=$(python3 -c 'import site; print(site.getsitepackages()[0])')
mkdir -p "$folder"
echo 'import stepped_clock' > "$folder/stepped_clock.pth"
cat > "$folder/stepped_clock.py" <<'END'
import time
true_time = time.clock_gettime_ns
def stepped_time(clock):
    if clock != time.CLOCK_REALTIME:
        return true_time(clock)
    try:
        with open("/run/clock-step-ns") as file:
            return true_time(clock) + int(file.read())
    except OSError:
        return true_time(clock)
time.clock_gettime_ns = stepped_time
END
"""


def make_clock_steppable(pi: Pi) -> None:
    """Let an emulated device's Python see a wall clock that was set: its clock is this computer's and cannot be."""
    pi.run(_CLOCK)


@contextmanager
def told_by_device(pi: Pi, script: str) -> Iterator[None]:
    """An emulated Raspberry Pi that tells something else of itself, by the files that its programs read.

    Args:
        pi: the device.
        script: one of `TALES`.
    """
    pi.run(f"mkdir -p /run/before && {_SAVE}")
    try:
        pi.run(script)
        yield
    finally:
        pi.run(_RESTORE)


_FREQUENCIES = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq"
_SAVE = f"""
cp -p /usr/bin/vcgencmd /run/before/vcgencmd
cat /sys/class/thermal/thermal_zone0/temp > /run/before/temp
cat {_FREQUENCIES} | head -n 1 > /run/before/frequency"""
_RESTORE = f"""
cp -p /run/before/vcgencmd /usr/bin/vcgencmd
cat /run/before/temp > /sys/class/thermal/thermal_zone0/temp
for file in {_FREQUENCIES}; do cat /run/before/frequency > $file; done
rm -f /run/clock-step-ns
! mountpoint -q /proc/vmstat || umount /proc/vmstat"""

TALES = {
    "throttled now (bits 0x4)": "printf '#!/bin/sh\\necho throttled=0x40004\\n' > /usr/bin/vcgencmd",
    "under-voltage meanwhile (bits 0x10000)": "printf '#!/bin/sh\\necho throttled=0x10000\\n' > /usr/bin/vcgencmd",
    "capped at 600 MHz": f"for file in {_FREQUENCIES}; do echo 600000 > $file; done",
    "85 C hot": "echo 85000 > /sys/class/thermal/thermal_zone0/temp",
    "the wall clock set by 5 s": "echo 5000000000 > /run/clock-step-ns",
    "swapping": (
        "awk '/^pswpin/ { print $1, $2 + 5000; next } { print }' /proc/vmstat > /run/before/vmstat && "
        "mount --bind /run/before/vmstat /proc/vmstat"
    ),
}
"""What an emulated Raspberry Pi can be made to say, as shell scripts that run there."""
