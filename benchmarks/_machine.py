"""Facts of this computer that belong beside every figure."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_DISTRIBUTIONS = ("click", "numpy", "paramiko", "tensorflow", "ai-edge-litert")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """This computer, now.

    Attributes:
        load: the average of the last minute; above `cores` the figures are those of a busy machine.
        loop_ms: CPU time of a million additions, the least of five: how fast the machine runs Python at the moment.
        versions: of the programs and libraries that the figures depend on.
    """

    date: str
    cpu: str
    cores: int
    load: float
    loop_ms: float
    versions: dict[str, str]


def this_machine() -> Machine:
    """Look around."""
    found = {"python": platform.python_version(), "kernel": platform.release(), "openssh": _first_line(["ssh", "-V"])}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return Machine(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        load=round(os.getloadavg()[0], 2),
        loop_ms=round(min(_loop_ms() for _ in range(5)), 1),
        versions=found,
    )


def describe(machine: Machine) -> str:
    """One line."""
    versions = ", ".join(f"{name} {text}" for name, text in machine.versions.items())
    return (
        f"{machine.date}; {machine.cpu}, {machine.cores} cores, load {machine.load:g}, "
        f"a million additions in Python {machine.loop_ms:g} ms; {versions}"
    )


def _loop_ms() -> float:
    started, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number
    return 1000 * (time.process_time() - started)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()


def _first_line(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "absent"
    words = (done.stdout + done.stderr).replace(",", " ").split()
    return words[0] if words else "unknown"
