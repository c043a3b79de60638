"""`edgekit --help`: CPU time, memory, and that nothing heavy is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

from benchmarks._figures import Figure, at_most
from benchmarks._folders import EDGEKIT, own_folders
from benchmarks._runs import in_turn, timed

RUNS = 9
CPU_GOAL_MS = 60.0
MEMORY_GOAL_MB = 30.0
HEAVY = ("numpy", "pydantic", "rich", "paramiko", "sqlite3", "tensorflow", "torch")

# VmHWM begins anew with exec; ru_maxrss would carry over the peak of whoever started the process.
_PROBE = """
import json, sys
from edgekit.cli import main
sys.argv = ["edgekit", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"peak_bytes": int(peak.split()[1]) * 1024, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


@dataclass(frozen=True, kw_only=True)
class Help:
    """Raw figures; `bare_cpu_s` is `python -c pass` in turn with ours, which tells how fast the machine was."""

    cpu_s: tuple[float, ...]
    bare_cpu_s: tuple[float, ...]
    peak_bytes: int
    heavy_modules: tuple[str, ...]


def measure(runs: int) -> Help:
    """Run it so many times."""
    with own_folders():
        ours, bare = in_turn(
            max(runs, 5), lambda: timed([*EDGEKIT, "--help"]), lambda: timed([sys.executable, "-c", "pass"])
        )
        probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True, timeout=60)
    facts = json.loads(probe.stderr)
    return Help(
        cpu_s=tuple(run.cpu_s for run in ours),
        bare_cpu_s=tuple(run.cpu_s for run in bare),
        peak_bytes=facts["peak_bytes"],
        heavy_modules=tuple(name for name in HEAVY if name in facts["modules"]),
    )


def figures(found: Help) -> tuple[Figure, ...]:
    """The rows."""
    bare_ms = 1000 * min(found.bare_cpu_s)
    return (
        at_most(
            "`edgekit --help`, CPU time, least",
            1000 * min(found.cpu_s),
            CPU_GOAL_MS,
            "ms",
            note=f"`python -c pass` took {bare_ms:.3g} ms in turn with it, so it is "
            f"{min(found.cpu_s) * 1000 / bare_ms:.3g} starts of a bare interpreter",
        ),
        Figure(what="`edgekit --help`, CPU time, median", value=f"{1000 * median(found.cpu_s):.3g} ms"),
        at_most("`edgekit --help`, peak memory", found.peak_bytes / 1e6, MEMORY_GOAL_MB, "MB"),
        Figure(
            what=f"heavy modules loaded by `--help` (of {', '.join(HEAVY)})",
            value=", ".join(found.heavy_modules) or "none",
            goal="none",
            met=not found.heavy_modules,
        ),
    )
