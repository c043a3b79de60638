"""Whether the gate of examples/ci-gate keeps quiet on an identical build, and finds what is planted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks._figures import Figure, with_unit
from benchmarks._folders import EDGEKIT, ROOT
from benchmarks._sessions import LOCAL, device_of

RUNS = 50
TAKES = ("device",)

_PLAN = ("--processes", "10", "--max-processes", "20", "--min-seconds", "0.5")
"""Where times decide; an emulated device's gate needs none."""
_VERDICTS = {0: "pass", 1: "fail", 11: "inconclusive"}
_HERE = "local://"


@dataclass(frozen=True, kw_only=True)
class GateRepeats:
    """Raw figures.

    Attributes:
        device: where the gates ran.
        verdicts: of the identical build, in order.
        seconds: of each of these gates.
        reasons: of the checks that did not pass.
        planted: verdict for each planted bug, with the checks that failed.
    """

    device: str
    verdicts: tuple[str, ...]
    seconds: tuple[float, ...]
    reasons: tuple[str, ...]
    planted: dict[str, tuple[str, tuple[str, ...]]]


def measure(runs: int, *, device: str = LOCAL) -> GateRepeats:
    """Save a baseline, gate the same build so often, then each planted bug once.

    Args:
        runs: gates of the identical build.
        device: as `device_of` takes it.
    """
    with device_of(device) as entry:
        where, plan = (_HERE, _PLAN) if device == LOCAL else (entry.name, ())
        folder = Path(os.environ["EDGEKIT_DATA_DIR"]).parent / "ci-gate"
        shutil.copytree(ROOT / "examples" / "ci-gate", folder, ignore=shutil.ignore_patterns("data", "build"))
        _script(folder, where, "ci.sh", "baseline", *plan)
        verdicts, seconds, reasons = [], [], []
        for _ in range(runs):
            started = time.perf_counter()
            verdict, checks = _gate(folder, where, plan)
            seconds.append(time.perf_counter() - started)
            verdicts.append(verdict)
            print(f"gate {len(verdicts)}: {verdict}", file=sys.stderr, flush=True)  # noqa: T201 - it takes an hour
            reasons += [f"{one['metric']}: {one['reason']}" for one in checks if one["outcome"] != "pass"]
        planted = {}
        for bug in ("accuracy", "slow"):
            _script(folder, where, "plant.sh", "none")
            _script(folder, where, "plant.sh", bug)
            verdict, checks = _ci(folder, where, plan)
            planted[bug] = verdict, tuple(one["metric"] for one in checks if one["outcome"] == "fail")
    return GateRepeats(
        device=device, verdicts=tuple(verdicts), seconds=tuple(seconds), reasons=tuple(reasons), planted=planted
    )


def figures(found: GateRepeats) -> tuple[Figure, ...]:
    """The rows."""
    counted, n = Counter(found.verdicts), len(found.verdicts)
    reasons = "; ".join(sorted(set(found.reasons))[:3])
    rows = [
        Figure(
            what=f"gates of an identical build on {found.device} that fail",
            value=f"{counted['fail']} of {n}",
            goal="0",
            met=counted["fail"] == 0,
        ),
        Figure(
            what=f"gates of an identical build on {found.device} that are inconclusive",
            value=f"{counted['inconclusive']} of {n}",
            note=reasons,
        ),
        Figure(what=f"one gate on {found.device}, median", value=with_unit(median(found.seconds), "s")),
    ]
    for bug, (verdict, failed) in found.planted.items():
        rows.append(
            Figure(
                what=f"planted bug on {found.device}: {bug}",
                value=f"{verdict}{': ' if failed else ''}{', '.join(failed)}",
                goal="fail",
                met=verdict == "fail",
            )
        )
    return tuple(rows)


def _script(folder: Path, device: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(EDGEKIT[0]).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(folder / name), *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHON": sys.executable, "DEVICE": device},
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    may_fail = name == "ci.sh" and "baseline" not in arguments
    if done.returncode not in (_VERDICTS if may_fail else (0,)):
        raise RuntimeError(f"{name} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def _ci(folder: Path, device: str, plan: tuple[str, ...]) -> tuple[str, list[dict[str, str]]]:
    done = _script(folder, device, "ci.sh", *plan, "--json")
    return _VERDICTS[done.returncode], json.loads(done.stdout[done.stdout.index('{\n  "') :])["checks"]


def _gate(folder: Path, device: str, plan: tuple[str, ...]) -> tuple[str, list[dict[str, str]]]:
    command = [*EDGEKIT, "gate", "build/model.edgekit", "--device", device, *plan, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode not in _VERDICTS:
        raise RuntimeError(f"the gate ended with {done.returncode}:\n{done.stderr}")
    return _VERDICTS[done.returncode], json.loads(done.stdout)["checks"]
