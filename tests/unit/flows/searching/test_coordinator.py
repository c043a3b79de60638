"""The loop of a search, with a study in memory and a crew that does what a script says, one report a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from edgekit.core.errors import InternalError, NetworkError, StorageError
from edgekit.core.events import Event
from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Value
from edgekit.core.search.trial import Outcome, State, Trial
from edgekit.engines._base import Asked, Study, Suggests
from edgekit.flows.searching.budget import Budget
from edgekit.flows.searching.coordinator import Coordinator, End
from edgekit.flows.searching.devices import DeviceBook, Use
from edgekit.flows.searching.job import Report, Said

DONE = Outcome(state=State.COMPLETE, values={"accuracy": 0.5})


class _Asked(Asked):
    def __init__(self, trial: Trial) -> None:
        self.number, self.attempts, self._trial = trial.number, trial.attempts, trial

    @property
    def params(self) -> Mapping[str, Value]:
        return self._trial.params

    @property
    def suggests(self) -> Suggests:
        raise NotImplementedError


@dataclass
class MemoryStudy(Study):
    """A study in memory over a space of so many points."""

    points: int = 1000
    kept_trials: list[Trial] = field(default_factory=list)

    def ask(self, worker: str) -> Asked | None:
        for trial in self.kept_trials:
            if trial.state is State.WAITING:
                return self._began(replace(trial, attempts=trial.attempts + 1), worker)
        number = len(self.kept_trials)
        if number >= self.points:
            return None
        trial = Trial(number=number, params={"x": number}, state=State.WAITING)
        self.kept_trials.append(trial)
        return self._began(trial, worker)

    def _began(self, trial: Trial, worker: str) -> Asked:
        self.kept_trials[trial.number] = replace(trial, state=State.RUNNING, worker=worker)
        return _Asked(trial)

    def tell(self, number: int, outcome: Outcome) -> bool:
        trial = self.kept_trials[number]
        if trial.state is not State.RUNNING:
            return False
        self.kept_trials[number] = replace(trial, state=outcome.state, outcome=outcome)
        return True

    def keep(self, name: str, value: Any) -> None:
        raise NotImplementedError

    def kept(self, prefix: str) -> Mapping[str, Any]:
        raise NotImplementedError

    def trials(self) -> tuple[Trial, ...]:
        return tuple(self.kept_trials)

    def requeue(self, is_alive: Callable[[str], bool], *, most_attempts: int = 3) -> tuple[int, ...]:
        waiting = []
        for trial in self.kept_trials:
            if trial.state is State.RUNNING and not is_alive(trial.worker):
                if trial.attempts >= most_attempts:
                    self.tell(trial.number, Outcome(state=State.FAILED, reason="its workers died"))
                else:
                    self.kept_trials[trial.number] = replace(trial, state=State.WAITING)
                    waiting.append(trial.number)
        return tuple(waiting)

    def enqueue(self, points: Sequence[Mapping[str, Value]]) -> None:
        raise NotImplementedError

    def importance(self, goal: Goal) -> Mapping[str, float]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


Act = Callable[["ScriptedCrew", str, Asked], Iterator[Report]]


def concludes(crew: ScriptedCrew, worker: str, asked: Asked) -> Iterator[Report]:
    """What a worker in order does."""
    counted = crew.study.tell(asked.number, DONE)
    yield Report(worker=worker, said=Said.TOLD, trial=asked.number, outcome=DONE if counted else None)


def dies(crew: ScriptedCrew, worker: str, asked: Asked) -> Iterator[Report]:
    """A worker that is killed."""
    crew.dead.add(worker)
    yield Report(worker=worker, said=Said.GONE, text="was killed by SIGKILL")


def loses_device(crew: ScriptedCrew, worker: str, asked: Asked) -> Iterator[Report]:
    """A worker whose device does not answer."""
    crew.study.requeue(lambda name: name != worker, most_attempts=99)
    use = Use(device="a", seconds=1.0, fault={"message": "a is gone"})
    yield Report(worker=worker, said=Said.HANDED_BACK, trial=asked.number, uses=(use,), text="a is gone")


def hangs(crew: ScriptedCrew, worker: str, asked: Asked) -> Iterator[Report]:
    """A worker that says nothing until it is killed."""
    while worker not in crew.killed:
        yield Report(worker="another", said=Said.PROGRESS, text="tick")
    crew.dead.add(worker)
    yield Report(worker=worker, said=Said.GONE, text="was killed by SIGKILL")


def breaks(error: Exception) -> Act:
    """A worker that finds that no trial can be tried."""

    def act(crew: ScriptedCrew, worker: str, asked: Asked) -> Iterator[Report]:
        assert isinstance(error, StorageError)
        yield Report(worker=worker, said=Said.BROKEN, trial=asked.number, error=error.as_json())

    return act


@dataclass
class ScriptedCrew:
    """Workers whose trials go as `script` says by (trial, attempt), else well; each turn everybody says one thing.

    Attributes:
        slow_to_say: by trial, so many turns lie between its beginning and its worker's saying so.
    """

    study: MemoryStudy
    most: int = 2
    script: dict[tuple[int, int], Act] = field(default_factory=dict)
    slow_to_say: dict[int, int] = field(default_factory=dict)
    interrupt_at_turn: int | None = None
    dead: set[str] = field(default_factory=set)
    killed: set[str] = field(default_factory=set)
    most_busy: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        self._turn = self._count = 0
        self._saying: dict[str, Iterator[Report]] = {}

    @property
    def busy(self) -> int:
        return len(self._saying)

    def is_free(self, devices: Sequence[str]) -> bool:
        return self.busy < self.most

    def begin(self, devices: Sequence[str]) -> None:
        self._count += 1
        worker = f"w{self._count}"
        self._saying[worker] = self._one(worker)
        self.most_busy = max(self.most_busy, self.busy)

    def _one(self, worker: str) -> Iterator[Report]:
        asked = self.study.ask(worker)
        if asked is None:
            yield Report(worker=worker, said=Said.EXHAUSTED)
            return
        for _ in range(self.slow_to_say.get(asked.number, 0)):
            yield Report(worker=worker, said=Said.PROGRESS, text="...")
        yield Report(worker=worker, said=Said.BEGAN, trial=asked.number)
        yield from self.script.get((asked.number, asked.attempts), concludes)(self, worker, asked)

    def wait(self, timeout_s: float) -> list[Report]:
        self._turn += 1
        if self._turn == self.interrupt_at_turn:
            raise KeyboardInterrupt
        reports = [next(saying) for saying in self._saying.values()]
        for report in reports:
            if report.ends:
                self._saying.pop(report.worker, None)
        return reports

    def kill(self, worker: str) -> None:
        self.killed.add(worker)

    def end(self, within_s: float) -> list[Report]:
        self.dead |= set(self._saying)
        self._saying.clear()
        self.ended = True
        return []

    def is_alive(self, worker: str) -> bool:
        return worker in self._saying and worker not in self.dead


def coordinator(crew: ScriptedCrew, budget: Budget, *, devices: Sequence[str] = (), **options: Any) -> Coordinator:
    heard: list[Event] = []
    return Coordinator(
        crew.study,
        crew,
        DeviceBook(devices),
        budget,
        trial_timeout_s=options.get("trial_timeout_s", 1e9),
        on_event=heard.append,
    )


def numbers(study: MemoryStudy, state: State) -> list[int]:
    return [trial.number for trial in study.trials() if trial.state is state]


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("trials", [1, 2, 9])
def test_exactly_so_many_trials_are_begun(workers: int, trials: int) -> None:
    crew = ScriptedCrew(MemoryStudy(), workers)

    end = coordinator(crew, Budget(trials=trials)).run()

    assert end is End.TRIALS
    assert numbers(crew.study, State.COMPLETE) == list(range(trials))
    assert crew.most_busy == min(workers, trials)
    assert crew.ended


@pytest.mark.parametrize("workers", [1, 3])
def test_trials_of_dead_workers_are_tried_again_and_counted_once(workers: int) -> None:
    crew = ScriptedCrew(MemoryStudy(), workers, script={(1, 1): dies, (4, 1): dies, (4, 2): dies})

    end = coordinator(crew, Budget(trials=6)).run()

    assert end is End.TRIALS
    assert numbers(crew.study, State.COMPLETE) == list(range(6))
    assert [trial.attempts for trial in crew.study.trials()] == [1, 2, 1, 1, 3, 1]


def test_last_point_of_a_space_is_tried_again_although_others_found_it_exhausted() -> None:
    crew = ScriptedCrew(MemoryStudy(points=3), 3, script={(2, 1): loses_device})

    end = coordinator(crew, Budget(trials=10), devices=("a", "b")).run()

    assert end is End.EXHAUSTED
    assert numbers(crew.study, State.COMPLETE) == [0, 1, 2]


def test_trial_that_has_begun_without_saying_so_is_not_counted_twice() -> None:
    crew = ScriptedCrew(MemoryStudy(), 2, script={(0, 1): dies}, slow_to_say={1: 2})

    end = coordinator(crew, Budget(trials=2)).run()

    assert end is End.TRIALS
    assert numbers(crew.study, State.COMPLETE) == [0, 1]


def test_trials_of_an_earlier_call_count_and_those_of_its_dead_are_tried_again() -> None:
    study = MemoryStudy()
    for number, state in enumerate((State.COMPLETE, State.RUNNING, State.COMPLETE)):
        outcome = DONE if state is State.COMPLETE else None
        study.kept_trials.append(Trial(number=number, params={}, state=state, outcome=outcome, worker="killed"))
    crew = ScriptedCrew(study)

    end = coordinator(crew, Budget(trials=5)).run()

    assert end is End.TRIALS
    assert numbers(study, State.COMPLETE) == list(range(5))
    assert study.trials()[1].attempts == 2


def test_trials_that_were_reached_before_begin_nothing() -> None:
    study = MemoryStudy()
    study.kept_trials.append(Trial(number=0, params={}, state=State.COMPLETE, outcome=DONE))
    crew = ScriptedCrew(study)

    assert coordinator(crew, Budget(trials=1)).run() is End.TRIALS
    assert len(study.trials()) == 1


def test_interruption_is_an_end_after_which_what_ran_waits() -> None:
    crew = ScriptedCrew(MemoryStudy(), 2, interrupt_at_turn=4)

    end = coordinator(crew, Budget(trials=100)).run()

    assert end is End.INTERRUPTED
    assert crew.ended
    assert not numbers(crew.study, State.RUNNING)
    assert numbers(crew.study, State.WAITING)


def test_interruptions_are_never_held_against_a_trial() -> None:
    study = MemoryStudy()

    for _ in range(6):
        coordinator(ScriptedCrew(study, 1, script={(0, n): hangs for n in range(9)}, interrupt_at_turn=3),
                    Budget(trials=1)).run()  # fmt: skip
    end = coordinator(ScriptedCrew(study, 1), Budget(trials=1)).run()

    assert end is End.TRIALS
    assert numbers(study, State.COMPLETE) == [0]


def test_time_that_is_over_begins_nothing() -> None:
    crew = ScriptedCrew(MemoryStudy())

    assert coordinator(crew, Budget(seconds=1e-9)).run() is End.TIME
    assert crew.study.trials() == ()


def test_trial_beyond_its_time_limit_fails_once_and_the_search_goes_on() -> None:
    crew = ScriptedCrew(MemoryStudy(), 1, script={(1, 1): hangs})
    run = coordinator(crew, Budget(trials=3), trial_timeout_s=0.05)

    end = run.run()

    assert end is End.TRIALS
    assert numbers(crew.study, State.FAILED) == [1]
    outcome = crew.study.trials()[1].outcome
    assert outcome is not None
    assert outcome.reason == "it took longer than 0.05 s"
    assert any("trial 1 was ended" in warning for warning in run.warnings)


def test_study_without_a_device_left_ends_with_its_trial_waiting() -> None:
    script: dict[tuple[int, int], Act] = {(number, n): loses_device for number in range(9) for n in range(9)}
    crew = ScriptedCrew(MemoryStudy(), 1, script=script)
    run = coordinator(crew, Budget(trials=9), devices=("a",))

    end = run.run()

    assert end is End.DEVICES
    assert numbers(crew.study, State.WAITING) == [0]
    assert run.warnings == ["a is left out: it failed too often in a row"]


def test_what_no_trial_is_to_blame_for_ends_the_search_as_an_error() -> None:
    crew = ScriptedCrew(MemoryStudy(), 1, script={(2, 1): breaks(StorageError("the disk is full", hint="free some"))})

    with pytest.raises(StorageError, match="the disk is full") as caught:
        coordinator(crew, Budget(trials=9)).run()

    assert caught.value.hint == "free some"
    assert crew.ended
    assert numbers(crew.study, State.COMPLETE) == [0, 1]
    assert numbers(crew.study, State.WAITING) == [2]


def test_workers_that_all_die_end_the_search() -> None:
    script: dict[tuple[int, int], Act] = {(number, n): dies for number in range(99) for n in range(9)}
    crew = ScriptedCrew(MemoryStudy(), 2, script=script)

    with pytest.raises(InternalError, match="workers died one after the other"):
        coordinator(crew, Budget(trials=99)).run()

    assert crew.ended


def test_database_that_is_gone_does_not_hide_why_the_search_ended() -> None:
    class GoneStudy(MemoryStudy):
        def requeue(self, is_alive: Callable[[str], bool], *, most_attempts: int = 3) -> tuple[int, ...]:
            if self.kept_trials:
                raise NetworkError("the database does not answer")
            return ()

    crew = ScriptedCrew(GoneStudy(), 1, script={(0, 1): breaks(StorageError("the disk is full"))})

    with pytest.raises(StorageError, match="the disk is full"):
        coordinator(crew, Budget(trials=2)).run()
