"""Whether a figure comes back: later on the same device, beside a bare loop, and with the operators' profiler on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks._figures import Figure
from benchmarks._sessions import LOCAL, chains, device_of, gate_plan, in_turn
from edgekit.bundle.pack import Bundle
from edgekit.core.measurement import Measurement
from edgekit.core.regression import Comparison, compare_medians, noise_floor
from edgekit.core.statistics import Interval, interval_of

RUNS = 20
"""Pairs of runs: they overlap, so that twenty pairs that are minutes apart do not take hours."""

TAKES = ("device", "gap")
GAP_S = 300.0
_LAYERS, _PROCESSES, _COMPARED, _SECONDS = 20, 10, 20, 2.0
_PROFILED_CALLS, _PROFILED_PROCESSES = 1000, 10
_LEAST_AGREEMENT = 0.05
_ALIKE = 0.03
"""Of the sentinel, between two runs."""

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Repeatability:
    """Raw figures.

    Attributes:
        device: where the runs were.
        gap_s: at least so much later begins the second run of a pair.
        started_s: when each run began, after the first one did.
        p50_ns: of each run.
        work_ns: of each run, what a round of the sentinel took: the same work each time, whatever the model.
        floor: of the device, from the processes of the first two runs.
        bare: edgekit's processes (second) against bare loops (first), in turn, on this computer.
        operators_ns: what the operators of the same model took, each the median of its processes.
        operators_to_call: all of them together over the median call that was not profiled.
        profiler: time of a call with the profiler on over one with it off, with its interval over processes.
        profiler_ns: what it adds to an operator.
    """

    device: str
    gap_s: float
    started_s: tuple[float, ...]
    p50_ns: tuple[float, ...]
    work_ns: tuple[float, ...]
    floor: float
    bare: Comparison
    operators_ns: tuple[float, ...]
    operators_to_call: float | None
    profiler: Interval
    profiler_ns: float

    @property
    def apart(self) -> list[float]:
        """How far the medians of each pair are apart, as a share."""
        return [abs(self.p50_ns[later] / self.p50_ns[first] - 1) for first, later in self._pairs]

    @property
    def work_apart(self) -> list[float]:
        """The same of the sentinel: how much faster or slower the device itself was."""
        return [abs(self.work_ns[later] / self.work_ns[first] - 1) for first, later in self._pairs]

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        """Each run and the first that is late enough."""
        return [
            (first, later)
            for first, started in enumerate(self.started_s)
            if (later := next(_from(self.started_s, started + self.gap_s), None)) is not None
        ]


def measure(runs: int, *, device: str = LOCAL, gap: float = GAP_S) -> Repeatability:
    """Measure run after run until there are enough pairs, then compare with a bare loop, then with the profiler.

    Args:
        runs: pairs.
        device: as `device_of` takes it.
        gap: seconds.
    """
    (model,) = chains([_LAYERS], device)
    (local_model,) = chains([_LAYERS], LOCAL)
    medians: list[list[float]] = []
    work: list[float] = []
    started: list[float] = []
    with device_of(device) as entry:
        begin = time.monotonic()
        while len(started) < runs or started[-1] < started[runs - 1] + gap:
            started.append(time.monotonic() - begin)
            (found,) = in_turn(
                entry, [model], plan=gate_plan(seconds=_SECONDS), processes=_PROCESSES, seed=len(started)
            )
            medians.append(_medians(found))
            work.append(_round_ns(found))
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as folder:
        path = Path(folder) / "model.tflite"
        bundle = Bundle.open(local_model)
        path.write_bytes(bundle.read(str(bundle.manifest.model)))
        bare, found = _against_bare_loop(local_model, path)
        profiler, profiler_ns = _profiler(path)
    operators = tuple(float(median(operator.ns)) for operator in found.operators if operator.ns)
    return Repeatability(
        device=device,
        gap_s=gap,
        started_s=tuple(started),
        p50_ns=tuple(median(one) for one in medians),
        work_ns=tuple(work),
        floor=noise_floor([*medians[0], *medians[1]]),
        bare=bare,
        operators_ns=operators,
        operators_to_call=sum(operators) / median(_medians(found)) if operators else None,
        profiler=profiler,
        profiler_ns=profiler_ns,
    )


def _from(times: Sequence[float], least: float) -> Iterator[int]:
    """Places of the times that are late enough, in order."""
    return (place for place, time_s in enumerate(times) if time_s >= least)


def _medians(measurement: Measurement) -> list[float]:
    return [float(median(run.samples_ns)) for run in measurement.runs]


def _round_ns(measurement: Measurement) -> float:
    """What a round of the sentinel's work took, in nanoseconds."""
    return float(
        median(
            time_ns / run.sentinel_rounds
            for run in measurement.runs
            if run.sentinel_rounds
            for time_ns in run.sentinel_ns or ()
        )
    )


def _against_bare_loop(model: Path, path: Path) -> tuple[Comparison, Measurement]:
    cores = sorted(os.sched_getaffinity(0))[1:]  # as a measuring session pins its processes
    command = [sys.executable, str(_HERE / "_bare_calls.py"), str(path), str(_SECONDS), *map(str, cores)]
    bare: list[float] = []
    with device_of(LOCAL) as entry:
        (found,) = in_turn(
            entry,
            [model],
            plan=replace(gate_plan(seconds=_SECONDS), operators=True),
            processes=_COMPARED,
            before=lambda _: bare.append(_said(command)["median_ns"]),
        )
    return compare_medians(bare, _medians(found)), found


def _profiler(path: Path) -> tuple[Interval, float]:
    command = [sys.executable, str(_HERE / "_profiled_calls.py"), str(path), str(_PROFILED_CALLS)]
    said = [_said(command) for _ in range(_PROFILED_PROCESSES)]
    found = interval_of([one["profiled_ns"] / one["plain_ns"] for one in said], np.median)
    assert found is not None
    return found, median(one["profiled_ns"] - one["plain_ns"] for one in said) / _LAYERS


def _said(command: Sequence[str]) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, check=True, timeout=600)
    said: dict[str, float] = json.loads(done.stdout)
    return said


def figures(found: Repeatability) -> tuple[Figure, ...]:
    """The rows."""
    limit = max(_LEAST_AGREEMENT, 2 * found.floor)
    agree = sum(apart <= limit for apart in found.apart) / len(found.apart)
    bare, profiler, together = found.bare, found.profiler, found.operators_to_call
    alike = [apart for apart, work in zip(found.apart, found.work_apart, strict=True) if work <= _ALIKE]
    return (
        Figure(
            what=f"{found.device}: runs {found.gap_s:.0f} s apart within {limit:.1%}, of {len(found.apart)} pairs",
            value=f"{agree:.0%}",
            goal="at least 95 %",
            met=agree >= 0.95,
            note=f"largest difference {max(found.apart):.1%}; noise floor {found.floor:.2%}",
        ),
        Figure(
            what=f"the same, of pairs whose sentinel differs by at most {_ALIKE:.0%}: the device itself was as fast",
            value=f"{sum(apart <= limit for apart in alike)} of {len(alike)}",
            note=f"the sentinel's largest difference {max(found.work_apart):.1%}",
        ),
        Figure(
            what="p50 to that of a bare loop in a process of its own, in turn",
            value=f"{bare.ratio - 1:+.2%} ({bare.low - 1:+.2%} to {bare.high - 1:+.2%})",
            goal="within 1 %",
            met=abs(bare.ratio - 1) <= 0.01,
        ),
        Figure(
            what="the operators' times together, to the median call",
            value="none were told"
            if together is None
            else f"{together - 1:+.1%} ({len(found.operators_ns)} operators)",
        ),
        Figure(
            what="a call with the operators' profiler on, to one with it off",
            value=f"{profiler.value - 1:+.2%} ({profiler.low - 1:+.2%} to {profiler.high - 1:+.2%})",
            goal="at most 5 % more",
            met=profiler.value <= 1.05,
            note=f"{found.profiler_ns / 1000:.1f} us an operator, and this model has {_LAYERS} short ones",
        ),
    )
