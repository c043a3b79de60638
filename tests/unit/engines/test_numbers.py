"""Trials are numbered 0, 1, 2, ... in the order in which they were begun, and a number never changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from edgekit.core.search.space import Integer, Real, Value, points
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._points import Proposal
from tests.unit.engines.studies import SPACE, opened, outcome_of, run

SIZE = 20
DONE = Outcome(state=State.COMPLETE, values={"accuracy": 0.9, "size_bytes": 100.0})


def nobody(_: str) -> bool:
    return False


def test_attempts_after_dead_workers_take_no_number(tmp_path: Path) -> None:
    study = opened(tmp_path)
    lost = [asked for worker in ("a", "b", "c") if (asked := study.ask(worker)) is not None]

    for _ in range(2):
        study.requeue(nobody)
        again = study.ask("d")
        assert again is not None
        assert (again.number, again.params) == (0, lost[0].params)
    study.close()
    resumed = opened(tmp_path, create=False)
    resumed.requeue(nobody, most_attempts=9)
    run(resumed)

    assert [trial.number for trial in resumed.trials()] == list(range(SIZE))
    assert [dict(trial.params) for trial in resumed.trials()[:3]] == [dict(asked.params) for asked in lost]
    resumed.close()


def test_what_an_earlier_study_told_takes_no_number(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    earlier = opened(tmp_path / "old")
    run(earlier, 8)

    study = opened(tmp_path, warm_start=earlier.trials())

    assert [number for number, _ in run(study, 5)] == [0, 1, 2, 3, 4]
    earlier.close()
    study.close()


def test_point_that_two_workers_take_at_once_is_one_trial(tmp_path: Path) -> None:
    first, second = opened(tmp_path, strategy="grid"), opened(tmp_path, strategy="grid")
    begin = second._begin_at
    taken: list[object] = []

    def other_is_faster(worker: str, proposal: Proposal) -> object:
        if not taken:
            taken.append(first.ask("w1"))
        return begin(worker, proposal)

    second._begin_at = other_is_faster
    asked = second.ask("w2")
    third = first.ask("w1")

    assert asked is not None
    assert third is not None
    assert (asked.number, third.number) == (1, 2)
    assert [trial.params for trial in second.trials()] == list(points(SPACE))[:3]
    assert [trial.worker for trial in first.trials()] == ["w1", "w2", "w1"]
    first.close()
    second.close()


def test_number_stays_while_others_begin_and_die(tmp_path: Path) -> None:
    studies = [opened(tmp_path, seed=seed, strategy="random") for seed in (0, 0, 1)]
    given: dict[int, dict[str, Value]] = {}
    for turn in range(12):
        study = studies[turn % 3]
        asked = study.ask(f"w{turn}")
        assert asked is not None
        assert given.setdefault(asked.number, dict(asked.params)) == asked.params
        if turn % 4 == 1:
            study.requeue(nobody, most_attempts=99)
        else:
            study.tell(asked.number, outcome_of(asked.params))

    for study in studies:
        told = {trial.number: dict(trial.params) for trial in study.trials()}
        assert list(told) == list(range(len(told)))
        assert all(told[number] == params for number, params in given.items())
        study.close()


@pytest.mark.parametrize("space", [(Integer(name="width", low=0, high=10**6),), (Real(name="width", low=0, high=1),)])
def test_engine_that_repeats_itself_does_not_end_a_large_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: tuple[Integer | Real, ...]
) -> None:
    study = opened(tmp_path, parameters=space)
    asked = study.ask("w")
    assert asked is not None
    study.tell(asked.number, DONE)

    def repeats(_number: int) -> Iterator[Proposal]:
        return repeat(Proposal(point=dict(asked.params)))

    monkeypatch.setattr(study, "_proposals", repeats)
    others = [other for _ in range(3) if (other := study.ask("w")) is not None]

    assert [other.number for other in others] == [1, 2, 3]
    assert len({str(other.params) for other in (asked, *others)}) == 4
    study.close()


def test_generation_of_an_evolution_is_kept_with_its_trial(tmp_path: Path) -> None:
    study = opened(tmp_path, strategy="nsga2", parameters=(Integer(name="width", low=1, high=10**6),))
    for _ in range(25):
        asked = study.ask("w")
        assert asked is not None
        study.tell(asked.number, Outcome(state=State.COMPLETE, values={"accuracy": 0.5, "size_bytes": 1.0}))

    generations = [
        value for trial in study._frozen() for name, value in trial.system_attrs.items() if name.endswith("generation")
    ]

    assert sorted(set(generations)) == [0, 1, 2]
    assert len(generations) == 25
    study.close()
