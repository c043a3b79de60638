"""A small space, a plan for it, and outcomes that follow from the point alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Choice, Integer, Value, When
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import ENGINES, Study, StudyPlan

SPACE = (
    Choice(name="precision", values=("int8", "int16", "float32")),
    Integer(name="width", low=1, high=5),
    Choice(name="sparsity", values=(0.5, 0.9), when=(When(name="precision", values=("int8",)),)),
)
"""20 points."""

GOALS = (Goal(metric="accuracy"), Goal(metric="size_bytes"))
LIMITS = (Limit(metric="ram_bytes", most=3.0),)


def plan_in(folder: Path, **changes: Any) -> StudyPlan:
    """A study in an SQLite file of a folder."""
    given: dict[str, Any] = {
        "name": "study",
        "storage": f"sqlite:///{folder / 'study.db'}",
        "identity": {"schema": 1, "target": "board", "space": "one"},
        "parameters": SPACE,
        "goals": GOALS,
        "limits": LIMITS,
        "strategy": "random",
        "startup_trials": 5,
    }
    return StudyPlan(**{**given, **changes})


def opened(folder: Path, *, engine: str = "optuna", create: bool = True, **changes: Any) -> Study:
    """An open study of `plan_in`."""
    study: Study = ENGINES.load(engine).open(plan_in(folder, **changes), create=create)
    return study


def outcome_of(point: Mapping[str, Value]) -> Outcome:
    """Every kind of outcome, each for some points."""
    width = int(point["width"])
    values = {"accuracy": 0.5 + 0.08 * width + 0.1 * (point["precision"] == "float32"), "size_bytes": width * 100.0}
    if width == 5:
        return Outcome(state=State.INFEASIBLE, violations={"ram_bytes": width - 3.0}, reason="RAM")
    if point["precision"] == "int16":
        kinds = {1: State.PRUNED, 2: State.REFUSED, 3: State.FAILED}
        if width in kinds:
            return Outcome(state=kinds[width], reason=f"width {width}")
    return Outcome(state=State.COMPLETE, values=values, measured=frozenset({"accuracy"}), stage="device")


def run(study: Study, most: int = 1000, worker: str = "w1") -> list[tuple[int, dict[str, Value]]]:
    """Try points until there is none, or there were so many; numbers and points in order."""
    found = []
    while len(found) < most and (asked := study.ask(worker)) is not None:
        point = dict(asked.params)
        assert study.tell(asked.number, outcome_of(point))
        found.append((asked.number, point))
    return found
