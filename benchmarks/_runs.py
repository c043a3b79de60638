"""Time whole processes from outside: wall clock, and the CPU time of the process and all it waited for."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a command."""

    wall_s: float
    cpu_s: float


def timed(command: Sequence[str | Path], *, cwd: Path | None = None) -> Run:
    """Run a command to its end; what it prints is shown only if it fails.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{said}")
    return Run(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime)


def in_turn(runs: int, *measures: Callable[[], T], warm_up: bool = True) -> list[tuple[T, ...]]:
    """A B A B ...: the results of each measure, in their order.

    Args:
        runs: how many of each.
        measures: what to run.
        warm_up: run each once more, before all, and forget the result.
    """
    if warm_up:
        for measure in measures:
            measure()
    rounds = [tuple(measure() for measure in measures) for _ in range(runs)]
    return list(zip(*rounds, strict=True))
