"""Whether the statistics keep what they promise, by simulation: nothing is measured, the seeds are fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks._figures import Figure
from edgekit.core.mcnemar import mcnemar
from edgekit.core.paired import Pairs, drop_interval
from edgekit.core.rank_tests import mann_whitney
from edgekit.core.regression import ALPHA, Change, compare_medians, margin_of, noise_floor
from edgekit.core.statistics import early_stopping_percentile, median_interval, wilson
from edgekit.core.steps import find_steps

RUNS = 1000
"""Pairs of sides for each kind of noise; other simulations take a multiple."""

_MANY = 20
_ACCURACIES = ((0.6, 200), (0.8, 500), (0.9, 500), (0.9, 1000), (0.95, 1000), (0.98, 5000))
_DISCORDANT = ((0.02, 500), (0.05, 500), (0.1, 1000), (0.3, 1000))
_MARGIN_PROCESSES = 20

Noise = Callable[[np.random.Generator, int], np.ndarray]


def _even(variation: float) -> Noise:
    return partial(_lognormal, variation)


def _lognormal(variation: float, generator: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(generator.normal(0, variation, n))


def _disturbed(generator: np.random.Generator, n: int) -> np.ndarray:
    """One process in twenty takes 10 to 80 % longer."""
    slow = np.where(generator.random(n) < 0.05, generator.uniform(1.1, 1.8, n), 1.0)
    return _lognormal(0.02, generator, n) * slow


def _drifting(generator: np.random.Generator, n: int) -> np.ndarray:
    return _lognormal(0.02, generator, n) * np.linspace(1, 1.06, n)


def _two_speeds(generator: np.random.Generator, n: int) -> np.ndarray:
    return _lognormal(0.02, generator, n) * np.where(generator.random(n) < 0.4, 1.3, 1.0)


def _bursts(generator: np.random.Generator, n: int) -> np.ndarray:
    """Other work for five processes at a time."""
    loud = np.repeat(generator.random(n // 5 + 1) < 0.5, 5)[:n]
    return _lognormal(0.02, generator, n) * np.where(loud, generator.uniform(1.1, 2.0, n), 1.0)


QUIET: Mapping[str, Noise] = {
    "variation 1 %": _even(0.01),
    "variation 2 %": _even(0.02),
    "variation 3 %": _even(0.03),
    "variation 2 %, drift of 6 %": _drifting,
    "variation 2 %, 1 in 20 disturbed": _disturbed,
}
LOUD: Mapping[str, Noise] = {
    "variation 10 %": _even(0.1),
    "variation 30 %": _even(0.3),
    "two speeds, 30 % apart": _two_speeds,
    "bursts of load": _bursts,
}


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """Shares of what was said, and the share of sides whose interval held the true ratio.

    Attributes:
        slower, same, faster: the rest was inconclusive.
        covered: by the 95 % interval.
    """

    slower: float
    same: float
    faster: float
    covered: float


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Raw shares.

    Attributes:
        wilson: of intervals that hold the true accuracy, by "accuracy of n".
        newcombe: of upper bounds at 95 % that hold the true drop, by "discordant of n".
        mcnemar: of equal models that are called different at 5 %, by the same.
        mann_whitney: of equal sides that are called different at 1 %, by processes a side.
        median: of bootstrap intervals that hold the true median, by processes.
        early_stopping: of estimates that lie above the true percentile, by percentile.
        steps: histories with a step that is none, and with a step of 5 % that is found, by variation.
        verdicts: by "noise n ratio".
    """

    runs: int
    wilson: Mapping[str, float]
    newcombe: Mapping[str, float]
    mcnemar: Mapping[str, float]
    mann_whitney: Mapping[str, float]
    median: Mapping[str, float]
    early_stopping: Mapping[str, float]
    steps: Mapping[str, tuple[float, float]]
    verdicts: Mapping[str, Verdicts]


def measure(runs: int) -> Coverage:
    """Simulate."""
    noises = {**QUIET, **LOUD}
    with ProcessPoolExecutor() as pool:
        verdicts = {
            f"{name}|{n}|{ratio}": pool.submit(_verdicts, noise, n, ratio, runs)
            for name, noise in noises.items()
            for n in (10, 20)
            for ratio in (1.0, 1.05, 1.10)
        }
        parts = [pool.submit(part, runs) for part in (_paired, _wilson, _ranks, _medians, _early_stopping, _steps)]
        paired, accuracies, ranks, medians, early, steps = (part.result() for part in parts)
        return Coverage(
            runs=runs,
            wilson=accuracies,
            newcombe=paired["newcombe"],
            mcnemar=paired["mcnemar"],
            mann_whitney=ranks,
            median=medians,
            early_stopping=early,
            steps=steps,
            verdicts={key: verdict.result() for key, verdict in verdicts.items()},
        )


def _wilson(runs: int) -> dict[str, float]:
    generator, found = np.random.default_rng(1), {}
    for accuracy, n in _ACCURACIES:
        held = [wilson(int(correct), n) for correct in generator.binomial(n, accuracy, _MANY * runs)]
        found[f"{accuracy} of {n}"] = float(np.mean([one.low <= accuracy <= one.high for one in held]))
    return found


def _paired(runs: int) -> dict[str, dict[str, float]]:
    generator = np.random.default_rng(2)
    found: dict[str, dict[str, float]] = {"newcombe": {}, "mcnemar": {}}
    for discordant, n in _DISCORDANT:
        key = f"{discordant} of {n}"
        half = discordant / 2
        shares = [0.9 * (1 - discordant), half, half, 0.1 * (1 - discordant)]
        tables = generator.multinomial(n, shares, size=_MANY * runs // 4)
        found["mcnemar"][key] = float(np.mean([mcnemar(int(lost), int(won)) <= 0.05 for _, lost, won, _ in tables]))
        bounds = [drop_interval(Pairs(both=e, lost=f, won=g, neither=h)).high for e, f, g, h in tables]
        found["newcombe"][key] = float(np.mean(np.array(bounds) >= 0))
    return found


def _ranks(runs: int) -> dict[str, float]:
    generator, found = np.random.default_rng(3), {}
    for n in (7, 10, 20, 40):
        sides = generator.exponential(size=(2 * runs, 2, n))
        found[f"{n}"] = float(np.mean([mann_whitney(first, second) <= ALPHA for first, second in sides]))
    return found


def _medians(runs: int) -> dict[str, float]:
    generator, found = np.random.default_rng(4), {}
    for n in (5, 10, 20):
        held = [median_interval(_lognormal(0.02, generator, n).tolist()) for _ in range(runs)]
        found[f"{n}"] = float(np.mean([one is not None and one.low <= 1 <= one.high for one in held]))
    return found


def _early_stopping(runs: int) -> dict[str, float]:
    generator, found = np.random.default_rng(5), {}
    for percent, n in ((50.0, 100), (90.0, 200), (99.0, 2000), (99.9, 10_000)):
        told = [early_stopping_percentile(generator.random(n), percent) for _ in range(runs)]
        found[f"{percent:g}"] = float(np.mean([value is not None and value >= percent / 100 for value in told]))
    return found


def _steps(runs: int) -> dict[str, tuple[float, float]]:
    generator, found = np.random.default_rng(6), {}
    for variation in (0.005, 0.01, 0.02):
        false = right = 0
        for _ in range(runs):
            values = _lognormal(variation, generator, 40)
            false += bool(find_steps(values))
            values[25:] *= 1.05
            steps = find_steps(values)
            right += len(steps) == 1 and abs(steps[0].at - 25) <= 1
        found[f"{variation:.1%}"] = false / runs, right / runs
    return found


def _verdicts(noise: Noise, n: int, ratio: float, runs: int) -> Verdicts:
    """Sides whose processes were taken in turn, ABBA or BAAB, each with a margin from an A/A of its own."""
    generator = np.random.default_rng(7)
    said, covered = [], 0
    for trial in range(runs):
        turns = [turn if generator.random() < 0.5 else 1 - turn for turn in (np.array([0, 1, 1, 0]),) * (n // 2)]
        second = np.concatenate(turns).astype(bool)
        times = noise(generator, 2 * n)
        margin = margin_of(noise_floor(noise(generator, _MARGIN_PROCESSES), seed=trial))
        found = compare_medians(times[~second], times[second] * ratio, margin=margin, seed=trial)
        said.append(found.change)
        covered += found.low <= ratio <= found.high
    return Verdicts(
        slower=said.count(Change.SLOWER) / runs,
        same=said.count(Change.SAME) / runs,
        faster=said.count(Change.FASTER) / runs,
        covered=covered / runs,
    )


def figures(found: Coverage) -> tuple[Figure, ...]:
    """The rows, each with the worst case of its simulations."""
    verdicts = found.verdicts
    unchanged = [one.slower for key, one in verdicts.items() if key.endswith("|1.0")]
    five, ten = verdicts["variation 2 %|20|1.05"].slower, verdicts["variation 2 %|10|1.1"].slower
    wrong = [
        one.same + one.faster for key, one in verdicts.items() if not key.endswith("|1.0") and key.split("|")[0] in LOUD
    ]
    return (
        _share("Wilson's 95 % interval holds the true accuracy", found.wilson.values(), least=0.93, most=0.97),
        _share("Newcombe's 95 % bound holds the true drop", found.newcombe.values()),
        _share("McNemar calls equal models different at 5 %", found.mcnemar.values(), most=0.05, slack=found.runs * 5),
        _share("Mann-Whitney calls equal sides different at 1 %", found.mann_whitney.values(), most=0.01, slack=2000),
        _share("the bootstrap's 95 % interval holds the true median", found.median.values()),
        _share("early-stopping percentile is not below the true one", found.early_stopping.values(), least=0.98),
        _share("unchanged, called slower, all kinds of noise", unchanged, most=0.01),
        _share("5 % slower at 20 v 20, variation 2 %, found", [five], least=0.95),
        _share("10 % slower at 10 v 10, variation 2 %, found", [ten], least=0.95),
        _share("slower by 5 or 10 % under load, called the same or faster", wrong, most=0.01),
    )


def _share(what: str, values: object, *, least: float = 0.0, most: float = 1.0, slack: int = 0) -> Figure:
    """The range of simulated shares; a limit may be passed by what the simulation itself scatters (3 deviations)."""
    shares = np.asarray(list(values))  # type: ignore[call-overload]
    low, high = shares.min(), shares.max()
    room = 3 * np.sqrt(most * (1 - most) / slack) if slack else 0.0
    goals = [f"at least {least:.0%}"] * (least > 0) + [f"at most {most:.0%}"] * (most < 1)
    value = f"{low:.1%}" if low == high else f"{low:.1%} to {high:.1%}"
    met = bool(low >= least and high <= most + room) if goals else None
    return Figure(what=what, value=value, goal=" and ".join(goals) or None, met=met)


def tables(found: Coverage) -> str:
    """What is said of each kind of noise."""
    lines = [
        f"| {found.runs:,} simulated pairs | sides | unchanged: slower, same | +5 % | +10 % | interval holds |",
        "|---|---|---|---|---|---|",
    ]
    for name in (*QUIET, *LOUD):
        for n in (10, 20):
            three = [found.verdicts[f"{name}|{n}|{ratio}"] for ratio in (1.0, 1.05, 1.10)]
            cells = " | ".join(f"{one.slower:.1%}, {one.same:.1%}" for one in three)
            lines.append(f"| {name} | {n} v {n} | {cells} | {min(one.covered for one in three):.1%} |")
    lines += ["", "| history of 40 runs, variation | step where there is none | step of 5 % found |", "|---|---|---|"]
    lines += [f"| {name} | {false:.1%} | {right:.1%} |" for name, (false, right) in found.steps.items()]
    return "\n".join(lines)
