"""A device against itself: how often an unchanged model is called slower, and how often a slower one is found.

Processes of one artifact are measured while the machine is quiet, and again while other programs work in bursts. Random
splits of them into two sides are then judged by edgekit and by the published rules of two other tools, as they are, and
with the second side slowed down by 5 % and by 10 %. A model that really does 5 % and 10 % more work is measured too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import _splits as splits
from benchmarks._disturb import cpu_hogs
from benchmarks._figures import Figure
from benchmarks._missing import CannotRun
from benchmarks._published_rules import RULES
from benchmarks._sessions import EMULATED, LOCAL, chains, device_of, gate_plan, in_turn
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.measurement import Measurement
from edgekit.core.regression import compare_medians, margin_of, noise_floor
from edgekit.core.statistics import coefficient_of_variation

RUNS = 60
"""Processes in each condition."""

TAKES = ("device",)
SPLITS = 1000
_BASE, _SLOWER = 20, {"5 %": 21, "10 %": 22}
_SIDES = (10, 20)
_RATIOS = (1.0, 1.05, 1.10)
_QUIET, _LOUD = "quiet", "under load"
_LOUD_STEADY_CAP_S = 3.0
"""A loud machine never gets steady; there is no use in waiting for it."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One device, quiet or under load.

    Attributes:
        device, load: which.
        medians_ns: one a process.
        margin: of the device, from its first 20 quiet processes.
        flags: of all processes as one measurement.
        ours: shares by "n ratio".
        single, pooled: shares by rule and ratio, of single runs and of 10 pooled ones a side.
    """

    device: str
    load: str
    medians_ns: tuple[float, ...]
    margin: float
    flags: tuple[str, ...]
    ours: Mapping[str, splits.Share]
    single: Mapping[str, splits.Share]
    pooled: Mapping[str, splits.Share]


@dataclass(frozen=True, kw_only=True)
class Slower:
    """A model that does more work, in turn with the one that does not.

    Attributes:
        device: where.
        more: how much more work.
        n: processes a side.
        change, ratio, low, high: the verdict.
    """

    device: str
    more: str
    n: int
    change: str
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class AA:
    """Raw figures."""

    conditions: tuple[Condition, ...]
    slower: tuple[Slower, ...]


def measure(runs: int, *, device: str | None = None) -> AA:
    """Measure this computer and an emulated rpi4, or one device.

    Args:
        runs: processes in each condition, at least twice as many as a side has.
        device: name or URL; that of a real board is measured quiet only, as nothing can be started there.

    Raises:
        CannotRun: there are too few processes to split.
    """
    if runs < 2 * max(_SIDES):
        raise CannotRun(f"needs --runs {2 * max(_SIDES)} at least")
    conditions: list[Condition] = []
    slower: list[Slower] = []
    for name in (device,) if device else (LOCAL, EMULATED):
        with device_of(name) as entry:
            quiet = _processes(name, entry, runs, _QUIET)
            margin = margin_of(noise_floor(splits.medians_of(_samples(quiet))[: 2 * min(_SIDES)]))
            conditions.append(_condition(name, _QUIET, quiet, margin))
            slower += _really_slower(name, entry, margin)
            if name in (LOCAL, EMULATED):
                conditions.append(_condition(name, _LOUD, _processes(name, entry, runs, _LOUD), margin))
    return AA(conditions=tuple(conditions), slower=tuple(slower))


def _processes(device: str, entry: DeviceEntry, runs: int, load: str) -> Measurement:
    plan = gate_plan(seconds=1.0)
    if load == _LOUD:
        plan = replace(plan, steady_cap_s=_LOUD_STEADY_CAP_S)
    with cpu_hogs() if load == _LOUD else nullcontext():
        (measurement,) = in_turn(entry, chains([_BASE], device), plan=plan, processes=runs)
    return measurement


def _samples(measurement: Measurement) -> list[np.ndarray]:
    return [np.asarray(run.samples_ns) for run in measurement.runs]


def _condition(device: str, load: str, measurement: Measurement, margin: float) -> Condition:
    samples = _samples(measurement)
    medians, fewest = splits.medians_of(samples), min(_SIDES)
    with ProcessPoolExecutor() as pool:
        verdicts = {
            f"{n} {ratio}": pool.submit(splits.ours, medians, n, ratio, splits=SPLITS, margin=margin)
            for n in _SIDES
            for ratio in _RATIOS
        }
        ours = {key: verdict.result() for key, verdict in verdicts.items()}
    rules = [(f"{name} {ratio}", rule, ratio) for name, rule in RULES.items() for ratio in _RATIOS]
    return Condition(
        device=device,
        load=load,
        medians_ns=tuple(medians),
        margin=margin,
        flags=tuple(map(str, measurement.validity)),
        ours=ours,
        single={key: splits.single_runs(samples, rule, ratio) for key, rule, ratio in rules},
        pooled={key: splits.pooled_runs(samples, rule, fewest, ratio, splits=SPLITS) for key, rule, ratio in rules},
    )


def _really_slower(device: str, entry: DeviceEntry, margin: float) -> Sequence[Slower]:
    """5 % more work at 20 against 20, 10 % at 10 against 10."""
    found = []
    for (more, layers), n in zip(_SLOWER.items(), sorted(_SIDES, reverse=True), strict=True):
        sides = in_turn(entry, chains([_BASE, layers], device), plan=gate_plan(seconds=1.0), processes=n)
        first, second = (splits.medians_of(_samples(side)) for side in sides)
        said = compare_medians(first, second, margin=margin)
        found.append(
            Slower(
                device=device, more=more, n=n, change=str(said.change), ratio=said.ratio, low=said.low, high=said.high
            )
        )
    return found


def figures(found: AA) -> tuple[Figure, ...]:
    """The rows: false alarms everywhere, finds where it is quiet, wrong words where it is not."""
    rows = []
    for one in found.conditions:
        where = f"{one.device}, {one.load}"
        for n in _SIDES:
            share = one.ours[f"{n} 1.0"]
            rows.append(_share(f"{where}, {n} v {n}: unchanged, called slower", share.slower / share.of, most=0.01))
        for ratio, n in ((1.05, 20), (1.10, 10)):
            share, what = one.ours[f"{n} {ratio}"], f"{where}, {n} v {n}: {ratio - 1:.0%} slower,"
            if one.load == _QUIET:
                rows.append(_share(f"{what} found", share.slower / share.of, least=0.95))
            else:
                rows.append(_share(f"{what} called the same or faster", share.same / share.of, most=0.01))
    return (*rows, *map(_slower_row, found.slower))


def _share(what: str, value: float, *, least: float = 0.0, most: float = 1.0) -> Figure:
    goal = f"at least {least:.0%}" if least else f"at most {most:.0%}"
    return Figure(what=what, value=f"{value:.1%}", goal=goal, met=least <= value <= most)


def _slower_row(slow: Slower) -> Figure:
    return Figure(
        what=f"{slow.device}, {slow.n} v {slow.n}: a model with {slow.more} more work is called",
        value=f"{slow.change} ({slow.ratio - 1:+.1%}, {slow.low - 1:+.1%} to {slow.high - 1:+.1%})",
        goal="slower",
        met=slow.change == "slower",
    )


def tables(found: AA) -> str:
    """Ours beside the published rules, on the same samples."""
    lines = [
        "| device, load | rule | compares | unchanged, called slower | 5 % slower, found | 10 % slower, found |",
        "|---|---|---|---|---|---|",
    ]
    notes = []
    for one in found.conditions:
        where = f"{one.device}, {one.load}"
        variation = coefficient_of_variation(one.medians_ns)
        notes.append(
            f"- {where}: {len(one.medians_ns)} processes, {np.median(one.medians_ns) / 1e6:.3g} ms, medians vary by "
            f"{variation:.1%}, margin {one.margin:.1%}, flags {', '.join(one.flags)}"
        )
        lines += [_line(where, "edgekit", f"{n} v {n} processes", one.ours, f"{n}") for n in _SIDES]
        for name in RULES:
            lines.append(_line(where, name, "one run v one run", one.single, name))
            lines.append(_line(where, name, f"{min(_SIDES)} v {min(_SIDES)} runs, pooled", one.pooled, name))
    return "\n".join([*lines, "", *notes])


def _line(where: str, rule: str, compares: str, shares: Mapping[str, splits.Share], key: str) -> str:
    cells = " | ".join(str(shares[f"{key} {ratio}"]) for ratio in _RATIOS)
    return f"| {where} | {rule} | {compares} | {cells} |"
