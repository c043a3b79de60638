"""What the trials of a search amount to: the front, how it grew, what each limit excluded, what proxies knew."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgekit.core.search.pareto import front, hypervolume
from edgekit.core.search.trial import FINISHED, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.core.search.goals import Goal, Limit
    from edgekit.core.search.trial import Outcome, Trial

STAGES = ("static", "proxies", "training", "accuracy", "device")
"""Stages of a trial, the cheapest first."""

_BEYOND = 0.1
"""How far the reference point lies beyond the front's worst values, as a share of the front's span."""

_FEWEST = 4
"""Fewer trials have no rank correlation worth telling."""


@dataclass(frozen=True, kw_only=True)
class Front:
    """The trials that nothing beats in all goals, sorted by the last goal's cost.

    Attributes:
        trials: one for each vector of values: of those with the same values the earliest.
        same: by the number of such a trial, the later ones with the same values.
    """

    trials: tuple[Trial, ...]
    same: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """The hypervolume while the search went on.

    Costs are scaled so that the front's best values lie at 0 and the reference point at 1; the hypervolume is the share
    of that box which the points found so far dominate, 0 to 1 (Zitzler and Thiele 1998).

    Attributes:
        ideal: best value of each goal, in its unit.
        reference: value of each goal at the reference point.
        over_trials: (finished trials, hypervolume), where it grew, and the end.
        over_device_s: (seconds for which devices were held, hypervolume), likewise.
    """

    ideal: Mapping[str, float]
    reference: Mapping[str, float]
    over_trials: tuple[tuple[float, float], ...]
    over_device_s: tuple[tuple[float, float], ...]

    @property
    def final(self) -> float:
        """At the end."""
        return self.over_trials[-1][1] if self.over_trials else 0.0


def finished(trials: Sequence[Trial]) -> list[Trial]:
    """Trials that came to an end, in the order of their ends."""
    ended = [trial for trial in trials if trial.state in FINISHED and trial.outcome is not None]
    return sorted(ended, key=lambda trial: (trial.ended or 0.0, trial.number))


def front_of(trials: Sequence[Trial], goals: Sequence[Goal]) -> Front:
    """The Pareto front of the complete trials.

    Args:
        trials: all of a study.
        goals: each complete trial has their values.
    """
    complete = sorted(_complete(trials, goals), key=lambda trial: trial.number)
    vectors = [costs_of(trial.outcome, goals) for trial in complete if trial.outcome is not None]
    first: dict[tuple[float, ...], Trial] = {}
    same: dict[int, list[int]] = {}
    for trial, vector in zip(complete, vectors, strict=True):
        if vector in first:
            same.setdefault(first[vector].number, []).append(trial.number)
        else:
            first[vector] = trial
    unique = list(first)
    places = front(unique) if unique else ()
    kept = sorted((unique[place] for place in places), key=lambda vector: (*vector[1:], vector[0]))
    found = tuple(first[vector] for vector in kept)
    return Front(
        trials=found,
        same={trial.number: tuple(same[trial.number]) for trial in found if trial.number in same},
    )


def costs_of(outcome: Outcome, goals: Sequence[Goal]) -> tuple[float, ...]:
    """The values of the goals as costs, in their order."""
    return tuple(goal.cost(outcome.values[goal.metric]) for goal in goals)


def growth_of(trials: Sequence[Trial], goals: Sequence[Goal]) -> Growth:
    """How the hypervolume grew with the trials and with the time on devices."""
    found = front_of(trials, goals)
    if not found.trials:
        return Growth(ideal={}, reference={}, over_trials=(), over_device_s=())
    costs = np.array([costs_of(trial.outcome, goals) for trial in found.trials if trial.outcome is not None])
    low, high = costs.min(axis=0), costs.max(axis=0)
    span = np.where(high > low, high - low, np.maximum(np.abs(low), 1.0))
    reference = high + _BEYOND * span
    curve = list(_curve(finished(trials), goals, low, reference))
    return Growth(
        ideal=_named(low, goals),
        reference=_named(reference, goals),
        over_trials=_steps([(float(count), volume) for count, _, volume in curve]),
        over_device_s=_steps([(device_s, volume) for _, device_s, volume in curve]),
    )


def device_time_s(outcome: Outcome) -> float:
    """How long a trial held a device; of a board, which has none, how long its emulator ran."""
    return outcome.device_s or outcome.seconds.get("device", 0.0)


def excluded(trials: Sequence[Trial], limits: Sequence[Limit]) -> dict[Limit, int]:
    """How many trials each limit excluded; a trial beyond two limits counts for both."""
    counts = Counter(
        metric
        for trial in trials
        if trial.state is State.INFEASIBLE and trial.outcome is not None
        for metric in trial.outcome.violations
    )
    return {limit: counts[limit.metric] for limit in limits}


def stages_of(trials: Sequence[Trial]) -> dict[str, int]:
    """How many finished trials ran each stage, the cheapest first; stages that none ran are left out."""
    ran = Counter(
        stage
        for trial in finished(trials)
        if trial.outcome is not None
        for stage in {trial.outcome.stage, *trial.outcome.seconds}
    )
    return {stage: ran[stage] for stage in STAGES if ran[stage]}


def proxy_correlations(trials: Sequence[Trial], metric: str = "accuracy") -> dict[str, tuple[float, int]]:
    """Spearman's rank correlation of each zero-cost proxy with what it stands for.

    Returns:
        By proxy, the correlation in -1..1 and the number of trials that have both; those with fewer than 4, or with
        only equal values, are left out.
    """
    pairs: dict[str, list[tuple[float, float]]] = {}
    for trial in finished(trials):
        outcome = trial.outcome
        if outcome is None or metric not in outcome.values or "proxies" not in outcome.seconds:
            continue
        for name, value in outcome.proxies.items():
            pairs.setdefault(name, []).append((value, outcome.values[metric]))
    return {
        name: (correlation, len(found))
        for name, found in sorted(pairs.items())
        if len(found) >= _FEWEST and (correlation := rank_correlation(*zip(*found, strict=True))) is not None
    }


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties with their mean rank; None where one of them does not vary."""
    first, second = _ranks(np.asarray(a, np.float64)), _ranks(np.asarray(b, np.float64))
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _complete(trials: Sequence[Trial], goals: Sequence[Goal]) -> list[Trial]:
    return [
        trial
        for trial in trials
        if trial.state is State.COMPLETE
        and trial.outcome is not None
        and all(math.isfinite(trial.outcome.values.get(goal.metric, math.nan)) for goal in goals)
    ]


def _curve(
    ended: Sequence[Trial], goals: Sequence[Goal], low: NDArray[np.float64], reference: NDArray[np.float64]
) -> list[tuple[int, float, float]]:
    """(finished trials, device seconds, hypervolume) after each finished trial."""
    found: list[tuple[float, ...]] = []
    curve, device_s, volume = [], 0.0, 0.0
    for count, trial in enumerate(ended, start=1):
        assert trial.outcome is not None
        device_s += device_time_s(trial.outcome)
        if _complete([trial], goals):
            scaled = (np.array(costs_of(trial.outcome, goals)) - low) / (reference - low)
            point = tuple(map(float, scaled))
            if all(cost < 1 for cost in point) and not any(_covers(other, point) for other in found):
                found = [other for other in found if not _covers(point, other)] + [point]
                volume = hypervolume(found, (1.0,) * len(goals))
        curve.append((count, device_s, volume))
    return curve


def _covers(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


def _steps(curve: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The places where a curve changes, and its end."""
    kept = [now for before, now in zip([(0.0, 0.0), *curve], curve, strict=False) if now[1] != before[1]]
    return tuple(kept if not curve or (kept and kept[-1] == curve[-1]) else [*kept, curve[-1]])


def _named(costs: NDArray[np.float64], goals: Sequence[Goal]) -> dict[str, float]:
    """Costs back to values by metric."""
    return {goal.metric: goal.cost(float(cost)) for goal, cost in zip(goals, costs, strict=True)}


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = ends - (counts - 1) / 2
    return means[inverse]
