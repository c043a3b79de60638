"""A search's run on processes of this computer: budgets, dying workers and devices, interruptions, and going on."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.core.errors import InputError, LockedError, StorageError
from edgekit.core.search.trial import State, Trial
from edgekit.flows.searching.coordinator import End
from edgekit.flows.searching.run import open_study
from edgekit.flows.searching.study_folder import held
from tests.models.search_candidates import opens, search_in_a_process, searched, tried

_LIMIT_S = 60.0


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def states(trials: tuple[Trial, ...]) -> dict[State, int]:
    return dict(Counter(trial.state for trial in trials))


def kept_trials(folder: Path) -> tuple[Trial, ...]:
    _, study = open_study(folder)
    try:
        return study.trials()
    finally:
        study.close()


def test_two_workers_try_every_trial_once_although_one_of_them_dies(tmp_path: Path) -> None:
    run = searched(opens(tmp_path, trials=16, workers=2, script={"dies": {"3": [1]}}))

    assert run.end is End.TRIALS
    assert len({trial.number for trial in run.trials}) == 16
    assert states(run.trials) == {State.COMPLETE: 16}
    assert run.trials[3].attempts == 2
    assert Counter(line["trial"] for line in tried(tmp_path)) == Counter(trial.number for trial in run.trials)
    assert any("SIGKILL" in warning and "trial 3" in warning for warning in run.warnings)


@pytest.mark.full
def test_trial_whose_workers_die_three_times_fails_and_the_others_go_on(tmp_path: Path) -> None:
    run = searched(opens(tmp_path, trials=6, workers=1, script={"dies": {"2": [1, 2, 3]}}))

    assert states(run.trials) == {State.COMPLETE: 5, State.FAILED: 1}
    assert run.trials[2].state is State.FAILED


def test_trials_of_a_killed_search_are_neither_lost_nor_run_twice(tmp_path: Path) -> None:
    before = search_in_a_process(opens(tmp_path, trials=14, workers=2, script={"pause_s": 0.05}), tmp_path / "log")
    until(lambda: len(tried(tmp_path)) >= 5)
    before.kill()
    before.wait(_LIMIT_S)
    told = {trial.number for trial in kept_trials(tmp_path / "study") if trial.state is State.COMPLETE}
    lines = len(tried(tmp_path))

    run = searched(opens(tmp_path, trials=14, workers=2, resume=True))

    assert len(told) >= 3
    assert len({trial.number for trial in run.trials}) == 14
    assert states(run.trials) == {State.COMPLETE: 14}
    assert told.isdisjoint(line["trial"] for line in tried(tmp_path)[lines:])


def test_interrupted_search_gives_its_trials_back_and_goes_on_later(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    request = opens(tmp_path, trials=6, workers=2, script={"waits_for": str(gate)})
    before = search_in_a_process(request, tmp_path / "log")
    until(lambda: (tmp_path / "study" / "study.json").exists())
    until(lambda: sum(trial.state is State.RUNNING for trial in kept_trials(tmp_path / "study")) == 2)

    before.send_signal(signal.SIGINT)

    assert before.wait(_LIMIT_S) == 0
    assert (tmp_path / "log").read_text().splitlines()[-1] == "interrupted"
    assert states(kept_trials(tmp_path / "study")) == {State.WAITING: 2}
    gate.touch()
    assert states(searched(opens(tmp_path, trials=6, workers=2, resume=True)).trials) == {State.COMPLETE: 6}


def test_space_that_is_exhausted_ends_the_search(tmp_path: Path) -> None:
    run = searched(opens(tmp_path, trials=50, workers=2, script={}), points=1)

    assert run.end is End.EXHAUSTED
    assert len({tuple(sorted(trial.params.items())) for trial in run.trials}) == len(run.trials) == 4


def test_candidate_with_a_bug_costs_its_trial_only(tmp_path: Path) -> None:
    run = searched(opens(tmp_path, trials=4, workers=1, script={"raises": {"1": [1]}}))

    assert states(run.trials) == {State.COMPLETE: 3, State.FAILED: 1}
    assert run.trials[1].outcome is not None
    assert run.trials[1].outcome.reason == "ValueError: the candidate has a bug"
    assert "the candidate has a bug" in (tmp_path / "study" / "workers.log").read_text()


def test_trial_that_never_ends_fails_by_its_time_limit(tmp_path: Path) -> None:
    run = searched(opens(tmp_path, trials=4, workers=2, script={"hangs": {"1": [1]}}, trial_timeout_s=1.0))

    assert states(run.trials) == {State.COMPLETE: 3, State.FAILED: 1}
    assert run.trials[1].outcome is not None
    assert run.trials[1].outcome.reason == "it took longer than 1 s"


def test_end_of_the_time_begins_no_trial_and_what_ran_waits_for_a_resume(tmp_path: Path) -> None:
    request = opens(tmp_path, workers=1, budget_s=4.0, script={"hangs": {"0": [1], "1": [1]}})

    run = searched(request)

    assert run.end is End.TIME
    assert states(run.trials) in ({}, {State.WAITING: 1})  # the time may be over before the worker has begun
    resumed = searched(opens(tmp_path, trials=2, resume=True, script={}))
    assert states(resumed.trials) == {State.COMPLETE: 2}


def test_device_is_held_by_one_trial_at_a_time_and_a_dead_one_is_left_out(tmp_path: Path) -> None:
    script = {"device": True, "device_s": 0.01, "dead_devices": ["c"]}
    request = opens(tmp_path, trials=12, workers=3, devices=("a", "b", "c"), script=script)

    run = searched(request)

    by_name = {record["device"]: record for record in run.devices}
    assert states(run.trials) == {State.COMPLETE: 12}
    assert len({line["trial"] for line in tried(tmp_path)}) == len(tried(tmp_path)) == 12
    assert {line["device"] for line in tried(tmp_path)} == {"a", "b"}
    assert by_name["a"]["uses"] + by_name["b"]["uses"] == 12
    assert by_name["c"]["faults"] >= 3
    assert "c does not answer" in by_name["c"]["left_out"]
    assert not by_name["a"]["left_out"]


def test_fault_of_a_device_costs_the_trial_a_retry(tmp_path: Path) -> None:
    script = {"device": True, "loses_device": {"1": [1]}}

    run = searched(opens(tmp_path, trials=4, workers=1, devices=("a",), script=script))

    assert states(run.trials) == {State.COMPLETE: 4}
    assert [trial.attempts for trial in run.trials] == [1, 2, 1, 1]


def test_search_without_a_device_left_ends_and_goes_on_once_one_answers(tmp_path: Path) -> None:
    dead = {"device": True, "dead_devices": ["a"]}
    first = searched(opens(tmp_path, trials=3, workers=1, devices=("a",), script=dead))

    second = searched(opens(tmp_path, trials=3, workers=1, devices=("a",), script={"device": True}, resume=True))

    assert first.end is End.DEVICES
    assert states(first.trials) == {State.WAITING: 1}
    assert states(second.trials) == {State.COMPLETE: 3}


def test_full_disk_ends_the_search_and_the_study_is_whole(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no space left"):
        searched(opens(tmp_path, trials=6, workers=1, script={"fills_disk": {"3": [1]}}))

    assert states(kept_trials(tmp_path / "study")) == {State.COMPLETE: 3, State.WAITING: 1}
    assert states(searched(opens(tmp_path, trials=6, workers=1, resume=True)).trials) == {State.COMPLETE: 6}


def test_model_that_no_trial_can_begin_with_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such data"):
        searched(opens(tmp_path, trials=6, workers=2, script={"refuses_to_open": "no such data"}))


@pytest.mark.full
def test_same_seed_gives_the_same_points_with_one_worker_also_over_a_resume(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    whole = searched(opens(tmp_path / "one", trials=6, script={}))
    searched(opens(tmp_path / "two", trials=3, script={}))
    resumed = searched(opens(tmp_path / "two", trials=6, resume=True))

    assert [trial.params for trial in whole.trials] == [trial.params for trial in resumed.trials]


@pytest.mark.full
def test_given_points_come_first(tmp_path: Path) -> None:
    first = ({"width": 63, "kind": "d"}, {"width": 1, "kind": "a"})

    run = searched(opens(tmp_path, trials=4, script={}), first_points=first)

    assert [dict(trial.params) for trial in run.trials[:2]] == list(first)


@pytest.mark.full
def test_earlier_study_warms_a_new_one_and_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    searched(opens(tmp_path / "old", trials=3, script={}))

    run = searched(opens(tmp_path / "new", trials=2, script={}, warm_start=(tmp_path / "old" / "study",)))

    assert len(run.trials) == 2


def test_study_that_is_there_needs_resume_and_one_that_is_not_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study to go on with"):
        searched(opens(tmp_path, trials=2, script={}, resume=True))
    searched(opens(tmp_path, trials=2))

    with pytest.raises(InputError, match="already") as caught:
        searched(opens(tmp_path, trials=4))

    assert "--resume" in str(caught.value.hint)


def test_resume_of_another_search_says_what_differs(tmp_path: Path) -> None:
    searched(opens(tmp_path, trials=2, script={}), points=8)

    with pytest.raises(InputError, match=r"points: 8 there, 9 now"):
        searched(opens(tmp_path, trials=4, resume=True), points=9)


def test_two_searches_do_not_share_a_folder(tmp_path: Path) -> None:
    with held(tmp_path / "study"), pytest.raises(LockedError, match="another edgekit"):
        searched(opens(tmp_path, trials=2, script={}))


@pytest.mark.full
def test_thousand_trials_on_eight_devices_of_which_some_fail(tmp_path: Path) -> None:
    loses = {str(number): [1] for number in range(0, 1000, 37)}
    dies = {str(number): [1] for number in range(11, 1000, 101)}
    script = {"device": True, "device_s": 0.01, "loses_device": loses, "dies": dies}
    request = opens(tmp_path, trials=1000, workers=8, devices=tuple("abcdefgh"), script=script)

    run = searched(request, points=400)

    assert states(run.trials) == {State.COMPLETE: 1000}
    assert Counter(line["trial"] for line in tried(tmp_path)) == Counter(trial.number for trial in run.trials)
    assert all(record["uses"] > 60 and not record["left_out"] for record in run.devices)
