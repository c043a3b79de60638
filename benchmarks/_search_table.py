"""A space of recipes that is measured whole, and searched again from what was measured."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks._compression_bench import KEPT, Files, lasting_cache
from benchmarks._folders import edgekit
from benchmarks._sessions import EMULATED, device_of
from edgekit.core.search.pareto import dominates, hypervolume
from edgekit.core.search.trial import Outcome, State, Trial
from edgekit.engines._base import ENGINES, StudyPlan
from edgekit.flows.searching.device_stage import hopeless
from edgekit.flows.searching.findings import Findings
from edgekit.flows.searching.run import open_study

_SAMPLES = 2000
"""Of MNIST's 10,000 for the accuracy of a point."""

_SECOND = "second"
"""Device, so that no worker waits for one."""
_MOST_DROP = "0.05"
_ON_DEVICES = ("instructions", "latency_ns", "ram_bytes")
_MARGIN = 1.1
"""The reference point of the hypervolume, where the worst measured value of each goal is 1."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """Points for one target.

    Attributes:
        target: its name.
        text: of the TOML file.
        emulated: whether trials are measured on an emulated device, which a machine with an operating system needs.
    """

    target: str
    text: str
    emulated: bool


class Table:
    """What every point of a space gave, and what a set of points is worth.

    Attributes:
        plan: of the study.
        outcomes: by `key`.
        complete: goals of the points within all limits, as costs.
        front: how many different points nothing beats.
    """

    def __init__(self, plan: StudyPlan, outcomes: Mapping[str, Outcome]) -> None:
        self.plan = plan
        self.outcomes = outcomes
        self.complete = [self._costs(outcome) for outcome in outcomes.values() if outcome.state is State.COMPLETE]
        columns = list(zip(*self.complete, strict=True))
        self._low = [min(column) for column in columns]
        self._span = [max(column) - min(column) or 1.0 for column in columns]
        self._whole = self._volume(self.complete)
        unique = set(self.complete)
        self.front = sum(not any(dominates(other, point) for other in unique) for point in unique)

    def share(self, outcomes: Sequence[Outcome]) -> float:
        """Of the true hypervolume, 0 to 1."""
        return self._volume([self._costs(outcome) for outcome in outcomes]) / self._whole

    def _costs(self, outcome: Outcome) -> tuple[float, ...]:
        return tuple(goal.cost(outcome.values[goal.metric]) for goal in self.plan.goals)

    def _volume(self, points: Sequence[Sequence[float]]) -> float:
        scaled = [
            [(cost - low) / span for cost, low, span in zip(point, self._low, self._span, strict=True)]
            for point in points
        ]
        return hypervolume(scaled, [_MARGIN] * len(self.plan.goals))


@contextmanager
def measured(space: Space, given: Files) -> Iterator[Table]:
    """Measure every point once, by `edgekit search --strategy grid`; trained results stay in build/bench."""
    with _place(space) as devices:
        data = Path(os.environ["EDGEKIT_DATA_DIR"])
        data.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=data))
        file, study = folder / "space.toml", folder / "grid"
        file.write_text(space.text, encoding="utf-8")
        edgekit(
            "search", given.model, "--target", space.target, "--space", file, "--strategy", "grid", "--trials", 1000,
            "--train-data", given.train, "--eval-data", given.evaluation, "--limit", _SAMPLES,
            "--max-drop", _MOST_DROP, "--workers", os.cpu_count() or 1, "--study", study, *devices,
        )  # fmt: skip
        yield table_of(study)


def table_of(study: Path) -> Table:
    """What a search that listed its whole space has found.

    Args:
        study: its folder.
    """
    kept, opened = open_study(study)
    trials = opened.trials()
    opened.close()
    outcomes = {key(trial.params): trial.outcome for trial in trials if trial.outcome is not None}
    return Table(replace(kept.plan(), warm_start=()), outcomes)


@contextmanager
def _place(space: Space) -> Iterator[list[str]]:
    """Where it is measured, as options of the command."""
    if not space.emulated:
        with lasting_cache():
            yield []
        return
    with device_of(EMULATED) as entry:
        os.environ["EDGEKIT_CACHE_DIR"] = str(KEPT / "cache")
        edgekit("emulator", "up", space.target, "--name", _SECOND, "--backend", "user")
        try:
            yield ["--device", entry.name, "--device", _SECOND]
        finally:
            edgekit("emulator", "down", _SECOND)


def searched(table: Table, strategy: str, seed: int, *, spares: bool, questions: int) -> list[float]:
    """Search the space anew, as `edgekit search` does, looking up what each point gives.

    Args:
        table: of the space.
        strategy: of Optuna.
        seed: of it.
        spares: whether the predictor keeps points from the device, as it does in a search.
        questions: to the device, at most.

    Returns:
        The share of the true hypervolume after each question to the device.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-bench-") as folder:
        plan = replace(table.plan, storage=f"sqlite:///{folder}/study.db", strategy=strategy, seed=seed)
        study = ENGINES.load("optuna").open(plan, create=True)
        shares: list[float] = []
        found: list[Outcome] = []
        told: list[Trial] = []
        while len(shares) < questions and (begun := study.ask("bench")) is not None:
            outcome = table.outcomes[key(begun.params)]
            if outcome.state is State.COMPLETE:
                spared = hopeless(_before_the_device(outcome, plan), begun.params, told, plan.goals) if spares else None
                if spared is None:
                    found.append(outcome)
                    shares.append(table.share(found))
                outcome = spared or outcome
            study.tell(begun.number, outcome)
            told.append(Trial(number=begun.number, params=dict(begun.params), state=outcome.state, outcome=outcome))
        study.close()
    return shares


def _before_the_device(outcome: Outcome, plan: StudyPlan) -> Findings:
    known = {name: value for name, value in outcome.values.items() if name not in _ON_DEVICES}
    return Findings(limits=plan.limits, values=known, proxies=dict(outcome.proxies))


def key(point: Mapping[str, object]) -> str:
    """A point, however its parameters are ordered."""
    return repr(sorted(point.items()))
