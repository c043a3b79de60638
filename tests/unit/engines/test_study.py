"""A study loses no trial and runs none twice, wherever a process dies; the rare ways to open one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edgekit.core.errors import InputError
from edgekit.core.search.space import points
from edgekit.core.search.trial import Outcome, State
from edgekit.engines import _study
from tests.unit.engines.studies import SPACE, opened, outcome_of, run

POINT = {"precision": "float32", "width": 3}
DONE = Outcome(state=State.COMPLETE, values={"accuracy": 0.9, "size_bytes": 100.0})


def nobody(_: str) -> bool:
    return False


def test_outcomes_come_back_as_they_were_told(tmp_path: Path) -> None:
    study = opened(tmp_path, strategy="grid")
    told = {number: (point, outcome_of(point)) for number, point in run(study)}
    study.close()

    again = opened(tmp_path, strategy="grid", create=False)

    assert {trial.number: (dict(trial.params), trial.outcome) for trial in again.trials()} == told
    assert all(trial.worker == "w1" and trial.began and trial.ended for trial in again.trials())
    assert {trial.state for trial in again.trials()} == set(State) - {State.WAITING, State.RUNNING}
    again.close()


def test_given_points_come_first_and_once(tmp_path: Path) -> None:
    study = opened(tmp_path)
    study.enqueue([POINT, {"precision": "int16", "width": 1}])
    study.enqueue([POINT])

    tried = run(study)

    assert [point for _, point in tried[:2]] == [POINT, {"precision": "int16", "width": 1}]
    assert len(tried) == 20
    study.close()


def test_worker_thought_dead_is_not_heard_between_the_attempts(tmp_path: Path) -> None:
    study = opened(tmp_path)
    asked = study.ask("slow")
    assert asked is not None
    study.requeue(nobody)

    assert not study.tell(asked.number, DONE)  # its attempt is over, and the next one has not begun

    assert study.trials()[0].state is State.WAITING
    study.close()


@pytest.mark.parametrize("step", ["set_trial_state_values", "enqueue_trial"])
def test_crash_while_requeuing_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    study = opened(tmp_path)
    asked = study.ask("dies")
    assert asked is not None

    def crash(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        owner = study._storage if step == "set_trial_state_values" else study._study
        patched.setattr(owner, step, crash)
        with pytest.raises(KeyboardInterrupt):
            study.requeue(nobody)
    study.close()
    again = opened(tmp_path, create=False)

    assert again.requeue(nobody) == (0,)
    found = again.ask("w2")
    assert found is not None
    assert (found.number, found.params) == (0, asked.params)
    assert again.tell(0, DONE)
    assert len(again.trials()) == 1
    again.close()


def test_outcome_that_was_written_before_its_worker_died_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path)
    asked = study.ask("dies")
    assert asked is not None

    def crash(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(study._study, "tell", crash)
        with pytest.raises(KeyboardInterrupt):
            study.tell(asked.number, DONE)
    assert study.trials()[0].state is State.RUNNING

    assert study.requeue(nobody) == ()

    assert study.trials()[0].outcome == DONE
    study.close()


def test_two_that_requeue_at_once_make_one_next_attempt(tmp_path: Path) -> None:
    study = opened(tmp_path)
    asked = study.ask("dies")
    assert asked is not None
    attempt = study._attempts()[0]
    study.requeue(nobody)
    again = study.ask("w2")
    study._study.enqueue_trial(  # what a second process writes that looked before the first one wrote
        dict(attempt.params), user_attrs={_study.AFTER: attempt.number, _study.NUMBER: 0, _study.ATTEMPT: 2}
    )

    new = study.ask("w3")

    assert again is not None
    assert new is not None
    assert (again.number, again.params) == (0, asked.params)
    assert new.params != asked.params
    assert study.trials()[0].worker == "w2"
    assert len(study.trials()) == 2
    study.close()


def test_attempt_whose_worker_died_before_it_had_a_name_is_lost_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path)
    study._study.ask()  # begun, and no worker noted

    assert study.requeue(nobody) == ()
    monkeypatch.setattr(_study, "_OWNERLESS_S", 0.0)

    assert study.requeue(nobody) == (0,)
    study.close()


def test_goal_that_is_missing_fails_its_trial(tmp_path: Path) -> None:
    study = opened(tmp_path)
    asked = study.ask("w1")
    assert asked is not None

    study.tell(asked.number, Outcome(state=State.COMPLETE, values={"accuracy": 0.5}))

    outcome = study.trials()[0].outcome
    assert outcome is not None
    assert (outcome.state, outcome.reason) == (State.FAILED, "size_bytes is not known")
    study.close()


def test_functions_declare_parameters_as_they_run(tmp_path: Path) -> None:
    study = opened(tmp_path, strategy="tpe", parameters=())
    asked = study.ask("dies")
    assert asked is not None
    depth = asked.suggests.suggest_int("depth", 1, 4)
    kind = asked.suggests.suggest_categorical("kind", ["a", "b"])
    study.requeue(nobody)

    again = study.ask("w2")

    assert again is not None
    assert again.suggests.suggest_int("depth", 1, 4) == depth
    assert again.suggests.suggest_categorical("kind", ["a", "b"]) == kind
    assert again.suggests.suggest_float("rate", 0.1, 0.2) >= 0.1
    study.close()


def test_study_that_is_not_there_is_not_made_by_a_resume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study 'study'"):
        opened(tmp_path, create=False)
    assert not (tmp_path / "study.db").exists()

    opened(tmp_path).close()
    with pytest.raises(InputError, match="no study 'other'"):
        opened(tmp_path, create=False, name="other")


def test_study_of_another_target_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    opened(tmp_path).close()

    with pytest.raises(InputError, match=r"the target differ \(target: board there, pi now\)") as caught:
        opened(tmp_path, identity={"schema": 1, "target": "pi", "space": "one"})

    assert caught.value.details["differs"] == ["target"]


def test_two_workers_that_take_the_same_point_begin_it_once(tmp_path: Path) -> None:
    first, second = opened(tmp_path, strategy="grid"), opened(tmp_path, strategy="grid")
    left = second._left
    taken: list[object] = []

    def look_then_wait() -> object:
        found = left()
        if not taken:  # between the look and the taking the other one takes it
            taken.append(first.ask("w1"))
        return found

    second._left = look_then_wait
    other = second.ask("w2")

    assert other is not None
    assert taken
    assert [trial.params for trial in second.trials()] == list(points(SPACE))[:2]
    assert {trial.worker for trial in second.trials()} == {"w1", "w2"}
    first.close()
    second.close()


def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("UPDATE version_info SET schema_version = 1")
        database.execute("UPDATE alembic_version SET version_num = 'v1.0.a'")
    database.close()

    with pytest.raises(InputError, match="another version"):
        opened(tmp_path, create=False)
