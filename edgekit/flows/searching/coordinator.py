"""The loop of a search: hands out trials while the budget lasts, and loses none when a worker or a device dies."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from edgekit.core.errors import EdgekitError, InternalError, from_json
from edgekit.core.events import Event, OnEvent
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import Study
from edgekit.flows.searching.budget import Budget
from edgekit.flows.searching.devices import DeviceBook
from edgekit.flows.searching.job import Report, Said
from edgekit.flows.searching.processes import Crew
from edgekit.flows.searching.worker import ANY, MOST_ATTEMPTS

_LOOK_S = 1.0
"""How often time limits are looked at."""

_DEATHS = 8
"""So many workers that die one after the other, with no trial concluded between, and something is wrong with all."""

_COUNTED_ANEW = frozenset({Said.HANDED_BACK, Said.GONE, Said.EXHAUSTED})
"""After these fewer trials are begun than were handed out."""

_STOP_S = 5.0
"""What workers have for giving back their trials once they are stopped, before they are killed."""

_OVERTIME = 0.05
_MOST_OVERTIME_S = 30.0
"""What trials that are running at the end of the time may take beyond it: a share of it, at most so many seconds."""


class End(StrEnum):
    """Why a search ended."""

    TRIALS = "trials"
    """As many as were asked for."""

    TIME = "time"
    EXHAUSTED = "exhausted"
    """Every point of the space was tried."""

    DEVICES = "devices"
    """None is left to measure on."""

    INTERRUPTED = "interrupted"


@dataclass
class _Running:
    trial: int
    since_s: float


class Coordinator:
    """Carries out a search with a crew.

    Args:
        study: open.
        crew: who tries points; it is ended with the run.
        book: of the devices.
        budget: of this call.
        trial_timeout_s: a trial that takes longer fails, and its worker is killed.
        on_event: listener.

    Attributes:
        warnings: for people, one sentence each.
    """

    def __init__(
        self, study: Study, crew: Crew, book: DeviceBook, budget: Budget, *, trial_timeout_s: float, on_event: OnEvent
    ) -> None:
        self._study, self._crew, self._book, self._budget = study, crew, book, budget
        self._trial_timeout_s = trial_timeout_s
        self._on_event = on_event
        self._began_s = time.monotonic()
        self._running: dict[str, _Running] = {}
        self._begun = self._told = self._deaths = 0
        self._is_exhausted = False
        self._offered: set[int] = set()
        self.warnings: list[str] = []

    def run(self) -> End:
        """Hand out trials until something ends it.

        Raises:
            EdgekitError: what no trial is to blame for: the study, the disk, the model, workers that keep dying.
        """
        end = End.INTERRUPTED
        try:
            self._requeue(MOST_ATTEMPTS)
            self._count()
            end = self._loop()
        except KeyboardInterrupt:
            self._say("stopping: trials that are running are given back")
        except BaseException:
            with suppress(EdgekitError):  # what it would say was said
                self._end_crew()
            raise
        self._end_crew()
        return end

    def _loop(self) -> End:
        while True:
            end = self._why_not()
            while end is None and self._crew.is_free(self._book.usable):
                self._crew.begin(self._book.usable)
                self._begun += 1
                end = self._why_not()
            if end is not None and not self._crew.busy:
                if not self._has_more():
                    return end
                continue
            if end in (End.TIME, End.DEVICES) and self._overtime_is_over():
                return end
            reports = self._crew.wait(_LOOK_S)
            for report in reports:
                self._hear(report)
            if any(report.said in _COUNTED_ANEW for report in reports):
                self._count()
            self._end_slow_trials()

    def _why_not(self) -> End | None:
        """Why no further trial may begin now."""
        if self._budget.time_is_over(self._elapsed_s):
            return End.TIME
        if self._book.records and not self._book.usable:
            return End.DEVICES
        if self._is_exhausted:
            return End.EXHAUSTED
        return End.TRIALS if self._budget.trials_are_spent(self._begun) else None

    def _hear(self, report: Report) -> None:
        for use in report.uses:
            if self._book.note(use):
                self._warn(f"{use.device} is left out: it failed too often in a row")
        if report.said is Said.PROGRESS:
            self._say(report.text)
        elif report.said is Said.BEGAN:
            assert report.trial is not None
            self._running[report.worker] = _Running(report.trial, time.monotonic())
        else:
            running = self._running.pop(report.worker, None)
            self._conclude(report, running)

    def _conclude(self, report: Report, running: _Running | None) -> None:
        if report.said is Said.BROKEN:
            raise from_json(dict(report.error))
        if report.said is Said.TOLD:
            self._deaths = 0
            self._told += 1
            self._say(_told(report), done=self._told, total=self._budget.trials)
            return
        if report.said is Said.EXHAUSTED:
            self._is_exhausted = True
        if report.said is Said.HANDED_BACK:
            self._is_exhausted = False
            if report.text:
                self._say(f"trial {report.trial} waits again: {report.text}")
        if report.said is Said.GONE:
            self._mourn(report, running)

    def _mourn(self, report: Report, running: _Running | None) -> None:
        """A worker died: its trial waits again."""
        self._deaths += 1
        waiting = self._requeue(MOST_ATTEMPTS)
        trials = (running.trial,) if running else waiting  # it may have died before it could say what it had begun
        shown = f"a worker {report.text}" + (f" in trial {', '.join(map(str, trials))}" if trials else "")
        self._warn(f"{shown}; {'the trial waits again' if waiting else 'no trial was lost'}")
        if self._deaths >= _DEATHS:
            raise InternalError(
                f"{self._deaths} workers died one after the other; the last {report.text}",
                hint="workers.log in the study's folder has what they said; is there enough memory for --workers?",
            )

    def _end_slow_trials(self) -> None:
        now_s = time.monotonic()
        for worker, running in self._running.items():
            if now_s - running.since_s > self._trial_timeout_s:
                reason = f"it took longer than {self._trial_timeout_s:g} s"
                self._study.tell(running.trial, Outcome(state=State.FAILED, reason=reason))
                self._warn(f"trial {running.trial} was ended: {reason}")
                self._deaths -= 1  # its own, which is of our making
                self._crew.kill(worker)
                running.since_s = float("inf")

    def _requeue(self, most_attempts: int) -> tuple[int, ...]:
        """Trials of the dead wait again, and where a space was exhausted it is not any more."""
        waiting = self._study.requeue(self._crew.is_alive, most_attempts=most_attempts)
        if waiting:
            self._is_exhausted = False
        return waiting

    def _count(self) -> None:
        """What was begun, from the study itself: those that run, have run, or are just being asked for."""
        trials = self._study.trials()
        self._told = sum(trial.outcome is not None for trial in trials)
        asking = self._crew.busy - len(self._running)
        self._begun = sum(trial.state is not State.WAITING for trial in trials) + max(0, asking)

    def _has_more(self) -> bool:
        """With nobody at a trial: whether there is one to begin after all, now that the count is exact.

        While workers ask, one that has begun but not said so yet is counted twice; and a worker may have found nothing
        to try a moment before a trial was given back.
        """
        self._requeue(MOST_ATTEMPTS)
        self._count()
        waiting = {trial.number for trial in self._study.trials() if trial.state is State.WAITING}
        if waiting - self._offered:
            self._offered |= waiting
            self._is_exhausted = False
        return self._why_not() is None

    def _overtime_is_over(self) -> bool:
        seconds = self._budget.seconds
        if seconds is None or not self._budget.time_is_over(self._elapsed_s):
            return False
        return self._elapsed_s > seconds + min(_MOST_OVERTIME_S, _OVERTIME * seconds)

    def _end_crew(self) -> None:
        """Have the crew end; what it was at waits again, and that is held against no trial."""
        for report in self._crew.end(_STOP_S):
            for use in report.uses:
                self._book.note(use)
            if report.said is Said.TOLD:
                self._say(_told(report))
        self._study.requeue(self._crew.is_alive, most_attempts=ANY)

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self._say(text)

    def _say(self, text: str, *, done: int | None = None, total: int | None = None) -> None:
        self._on_event(Event(phase="search", message=text, done=done, total=total))


def _told(report: Report) -> str:
    if report.outcome is None:
        return f"trial {report.trial} had been concluded before"
    values = ", ".join(f"{name} {value:.6g}" for name, value in report.outcome.values.items())
    reason = f": {report.outcome.reason}" if report.outcome.reason else ""
    return f"trial {report.trial}: {report.outcome.state}{reason}{f' ({values})' if values else ''}"
