"""How much of the true front a search finds, and for how many questions to the device: every point is measured once.

The space is listed and measured whole (`edgekit search --strategy grid`). Then each strategy searches it anew, seed by
seed: what a point gives is looked up, the rest (the engine, the limits, the predictor that spares the device) is what
`edgekit search` runs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks._compression_bench import files, lasting_cache
from benchmarks._figures import Figure
from benchmarks._folders import edgekit
from edgekit.core.search.goals import Goal
from edgekit.core.search.pareto import hypervolume
from edgekit.core.search.trial import Outcome, State, Trial
from edgekit.engines._base import ENGINES, StudyPlan
from edgekit.flows.searching.device_stage import hopeless
from edgekit.flows.searching.findings import Findings
from edgekit.flows.searching.run import open_study

RUNS = 5
"""Seeds."""

_SAMPLES = 2000
"""Of MNIST's 10,000 for the accuracy of a point."""

_SHARES = (0.1, 0.25, 0.5)
_STRATEGIES = ("tpe", "nsga2", "random")
_SPACE = """
schema = 1

[parameters]
"prune.sparsity" = ["off", 0.5, 0.8, 0.9]
"cluster.clusters" = ["off", 16]
quantize = ["int8"]
"int8.calibration" = ["min_max", "moving_average", "percentile", "mse", "kl"]
"cortex_m.optimize" = ["speed", "ram", "flash"]

[parameters."layer.lenet5_1/conv1_1/Relu"]
values = ["int8", "int16"]
when = { "prune.sparsity" = ["off"], "cluster.clusters" = ["off"] }

[parameters."layer.lenet5_1/conv2_1/Relu"]
values = ["int8", "int16"]
when = { "prune.sparsity" = ["off"], "cluster.clusters" = ["off"] }
"""
"""165 points."""


@dataclass(frozen=True, kw_only=True)
class SearchRecipes:
    """Raw figures.

    Attributes:
        points: of the space.
        complete: of them, those that gave every goal.
        front: points that none beats.
        shares: share of the true hypervolume, by strategy, then share of the device questions, then seed.
        asked: questions to the device of a whole search by strategy, one a seed: what the predictor did not spare.
    """

    points: int
    complete: int
    front: int
    shares: dict[str, dict[str, list[float]]]
    asked: dict[str, list[int]]


def measure(seeds: int) -> SearchRecipes:
    """Measure every point once, then search so often with each strategy."""
    given = files("lenet5", "data/mnist.npz")
    with lasting_cache() as folder:
        space = Path(tempfile.mkdtemp(dir=folder)) / "space.toml"
        space.write_text(_SPACE, encoding="utf-8")
        study = space.parent / "grid"
        edgekit(
            "search", given.model, "--target", "cortex_m4", "--space", space, "--strategy", "grid", "--trials", 1000,
            "--train-data", given.train, "--eval-data", given.evaluation, "--limit", _SAMPLES, "--max-drop", 0.05,
            "--workers", os.cpu_count() or 1, "--study", study,
        )  # fmt: skip
        kept, opened = open_study(study)
        trials = opened.trials()
        opened.close()
        table = {_key(trial.params): trial.outcome for trial in trials if trial.outcome is not None}
        plan = replace(kept.plan(), warm_start=())
        worth = _Worth(plan.goals, [outcome for outcome in table.values() if outcome.state is State.COMPLETE])
        shares: dict[str, dict[str, list[float]]] = {}
        asked: dict[str, list[int]] = {}
        for strategy in _STRATEGIES:
            for seed in range(seeds):
                found = _searched(plan, strategy, seed, table, worth, space.parent)
                asked.setdefault(strategy, []).append(len(found))
                for share in _SHARES:
                    reached = found[: max(1, int(share * len(worth.points)))]
                    shares.setdefault(strategy, {}).setdefault(f"{share:.0%}", []).append(reached[-1])
    return SearchRecipes(
        points=len(table), complete=len(worth.points), front=worth.front, shares=shares, asked=asked,
    )  # fmt: skip


def figures(found: SearchRecipes) -> tuple[Figure, ...]:
    """The rows."""
    rows = [
        Figure(
            what="recipes of LeNet-5 for cortex_m4, measured one by one",
            value=f"{found.points} points, {found.complete} within the limits, {found.front} in the front",
        )
    ]
    for strategy, by_share in found.shares.items():
        for share, values in by_share.items():
            is_goal = strategy == "tpe" and share == "25%"
            rows.append(
                Figure(
                    what=f"true hypervolume found by {strategy} with {share} of the device questions",
                    value=f"{median(values):.1%} ({min(values):.1%} to {max(values):.1%})",
                    goal="at least 95%" if is_goal else None,
                    met=median(values) >= 0.95 if is_goal else None,
                    note=f"median and range of {len(values)} seeds",
                )
            )
    for strategy, counts in found.asked.items():
        rows.append(
            Figure(
                what=f"questions to the device until {strategy} has proposed every point",
                value=f"{median(counts):g} of {found.points}",
                note="the predictor spared the others",
            )
        )
    return tuple(rows)


class _Worth:
    """The hypervolume of outcomes as a share of what all points together have."""

    def __init__(self, goals: Sequence[Goal], outcomes: Sequence[Outcome]) -> None:
        self._goals = goals
        self.points = [self._costs(outcome) for outcome in outcomes]
        columns = list(zip(*self.points, strict=True))
        self._low = [min(column) for column in columns]
        self._span = [max(column) - min(column) or 1.0 for column in columns]
        self._whole = self._volume(self.points)
        unique = set(self.points)
        self.front = sum(not any(_beats(other, point) for other in unique) for point in unique)

    def share(self, outcomes: Sequence[Outcome]) -> float:
        """0 to 1."""
        return self._volume([self._costs(outcome) for outcome in outcomes]) / self._whole

    def _costs(self, outcome: Outcome) -> tuple[float, ...]:
        return tuple(goal.cost(outcome.values[goal.metric]) for goal in self._goals)

    def _volume(self, points: Sequence[Sequence[float]]) -> float:
        scaled = [
            [(cost - low) / span for cost, low, span in zip(point, self._low, self._span, strict=True)]
            for point in points
        ]
        return hypervolume(scaled, [1.1] * len(self._goals))


def _searched(
    plan: StudyPlan, strategy: str, seed: int, table: Mapping[str, Outcome], worth: _Worth, folder: Path
) -> list[float]:
    """The share of the hypervolume after each question to the device."""
    file = Path(tempfile.mkdtemp(dir=folder)) / "study.db"
    study = ENGINES.load("optuna").open(
        replace(plan, storage=f"sqlite:///{file}", strategy=strategy, seed=seed), create=True
    )
    shares: list[float] = []
    measured: list[Outcome] = []
    told: list[Trial] = []
    while (begun := study.ask("bench")) is not None:
        outcome = table[_key(begun.params)]
        if outcome.state is State.COMPLETE:
            spared = hopeless(_before_the_device(outcome, plan), told, plan.goals)
            if spared is None:
                measured.append(outcome)
                shares.append(worth.share(measured))
            outcome = spared or outcome
        study.tell(begun.number, outcome)
        told.append(Trial(number=begun.number, params=dict(begun.params), state=outcome.state, outcome=outcome))
    study.close()
    return shares


def _before_the_device(outcome: Outcome, plan: StudyPlan) -> Findings:
    known = {name: value for name, value in outcome.values.items() if name not in ("instructions", "latency_ns")}
    return Findings(limits=plan.limits, values=known, proxies=dict(outcome.proxies))


def _beats(a: Sequence[float], b: Sequence[float]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def _key(point: Mapping[str, object]) -> str:
    return repr(sorted(point.items()))
