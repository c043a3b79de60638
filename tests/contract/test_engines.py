"""Every engine keeps the promises of `Engine` and `Study`, whatever it proposes; a new file is covered by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.core.registry import Registry
from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Choice, Integer, Value, size
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import ENGINES, Engine, Study, StudyPlan

EXPORTS = {"katib"}
"""Engines that run elsewhere: they are refused with what writes their experiment."""

SPACE = (Choice(name="kind", values=("a", "b")), Integer(name="width", low=1, high=4))
GOALS = (Goal(metric="accuracy"), Goal(metric="size_bytes"))
NAMES = sorted(set(ENGINES.names()) - EXPORTS)
PAIRS = [(name, strategy) for name in NAMES for strategy in ENGINES.load(name).strategies]
FIRST = [(name, ENGINES.load(name).strategies[0]) for name in NAMES]
VARIED = [
    pytest.param(*pair, marks=() if pair in FIRST else pytest.mark.full, id="-".join(pair)) for pair in PAIRS
]  # the strategies of an engine share what they are seeded by


def plan_in(folder: Path, strategy: str, **changed: Any) -> StudyPlan:
    given: dict[str, Any] = {
        "name": "contract", "storage": f"sqlite:///{folder / 'study.db'}", "identity": {"schema": 1},
        "parameters": SPACE, "goals": GOALS, "limits": (), "strategy": strategy, "startup_trials": 3,
    }  # fmt: skip
    return StudyPlan(**{**given, **changed})


def opened(folder: Path, name: str, strategy: str, *, create: bool = True, **changed: Any) -> Study:
    folder.mkdir(exist_ok=True)
    engine: Engine = ENGINES.load(name)
    try:
        return engine.open(plan_in(folder, strategy, **changed), create=create)
    except UnsupportedError as missing:
        if "not installed" in missing.message:
            pytest.skip(f"{missing.message}: {missing.hint}")
        raise


def tried(study: Study, most: int) -> list[tuple[int, dict[str, Value]]]:
    """Try up to so many points: numbers and points."""
    found = []
    while len(found) < most and (asked := study.ask("w")) is not None:
        width = float(int(asked.params["width"]))
        values = {"accuracy": width / 10, "size_bytes": 100 * width}
        assert study.tell(asked.number, Outcome(state=State.COMPLETE, values=values))
        found.append((asked.number, dict(asked.params)))
    return found


def test_registry_knows_each_engine_by_its_file() -> None:
    assert isinstance(ENGINES, Registry)
    for name in ENGINES.names():
        assert isinstance(ENGINES.load(name), Engine)
        assert ENGINES.summary(name)
        assert ENGINES.load(name).strategies


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_engine_that_runs_elsewhere_says_how(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        ENGINES.load(name).open(plan_in(tmp_path, ENGINES.load(name).strategies[0]), create=True)

    assert f"--export-{name}" in str(caught.value.hint)


@pytest.mark.parametrize("name", NAMES)
def test_strategy_that_is_none_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedError):
        ENGINES.load(name).open(plan_in(tmp_path, "no_such_strategy"), create=True)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("name", "strategy"), PAIRS)
def test_every_point_is_tried_once_under_numbers_without_gaps(tmp_path: Path, name: str, strategy: str) -> None:
    study = opened(tmp_path, name, strategy)

    found = tried(study, 20)

    assert [number for number, _ in found] == list(range(size(SPACE) or 0))
    assert len({repr(sorted(point.items())) for _, point in found}) == len(found)
    study.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(("name", "strategy"), VARIED)
def test_same_seed_gives_the_same_points_although_its_process_died(tmp_path: Path, name: str, strategy: str) -> None:
    whole = opened(tmp_path / "whole", name, strategy, seed=5)
    expected = tried(whole, 6)
    whole.close()
    first = opened(tmp_path / "cut", name, strategy, seed=5)
    begun = tried(first, 3)
    first.close()

    second = opened(tmp_path / "cut", name, strategy, create=False, seed=5)

    assert begun + tried(second, 3) == expected
    second.close()
