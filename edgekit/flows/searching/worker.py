"""One worker: it opens the study and what tries points, and tries one point at a time when it is told to."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from edgekit.core.errors import EdgekitError, InterruptedByUserError, StorageError
from edgekit.core.events import Event
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import Asked, Study
from edgekit.flows.searching.devices import FAULTS, MOST_FAULTS, DevicePool
from edgekit.flows.searching.job import Job, Report, Said
from edgekit.flows.searching.request import Candidate
from edgekit.flows.searching.tools import Tools
from edgekit.flows.workspace import workspace

MOST_ATTEMPTS = 3
"""A trial that was begun so often, and whose worker died each time, has failed."""

_PAUSE_S, _LOOK_S = 0.5, 0.1
"""A device is left in peace after a fault: so long, and twice as long after each further attempt of the trial."""

ANY = sys.maxsize
"""Attempts that do not count against a trial: it was the search that ended."""

Say = Callable[[Report], None]


class Worker:
    """Tries points of a job; a context manager, which opens nothing before the first trial.

    Args:
        job: the work.
        name: of the worker in the study; unique among all that ever worked on it, or at least among the living.
        say: hears of progress while a trial runs.
        offset: among the workers of this computer: 0, 1, 2, ...
    """

    def __init__(self, job: Job, name: str, say: Say, *, offset: int = 0) -> None:
        self._job = job
        self.name = name
        self._say = say
        self._devices = DevicePool(job.locks, job.request.devices, offset=offset)
        self._stack = ExitStack()
        self._opened: tuple[Study, Candidate] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def reports(self, devices: Sequence[str], *, stopped: Callable[[], bool]) -> Iterator[Report]:
        """Begin the next trial of the study and conclude it.

        Args:
            devices: those that may be held.
            stopped: whether to give the trial back.

        Yields:
            BEGAN, where there is a trial, as soon as it is; last what came of it. It raises nothing but what ends a
            process.
        """
        self._devices.allow(devices)
        try:
            study, candidate = self._open()
            asked = study.ask(self.name)
            if asked is None:
                yield self._report(Said.EXHAUSTED)
                return
            yield self._report(Said.BEGAN, trial=asked.number)
            yield self._concluded(asked, study, candidate, stopped)
        except InterruptedByUserError:
            yield self._report(Said.HANDED_BACK)
        except EdgekitError as error:
            yield self._report(Said.BROKEN, error=error.as_json())

    def _open(self) -> tuple[Study, Candidate]:
        if self._opened is None:
            with ExitStack() as stack:
                study = self._job.open_study()
                stack.callback(study.close)
                space = stack.enter_context(workspace(self._on_event))
                tools = Tools(workspace=space, devices=self._devices)
                candidate = stack.enter_context(self._job.open_candidate(tools))
                self._stack = stack.pop_all()
            self._opened = study, candidate
        return self._opened

    def _concluded(self, asked: Asked, study: Study, candidate: Candidate, stopped: Callable[[], bool]) -> Report:
        try:
            outcome = candidate.try_(asked, study, stopped=stopped)
        except (InterruptedByUserError, KeyboardInterrupt):
            study.requeue(self._everybody_else, most_attempts=ANY)
            return self._report(Said.HANDED_BACK, trial=asked.number)
        except FAULTS as fault:
            if asked.attempts < self._most_faults:
                study.requeue(self._everybody_else, most_attempts=ANY)
                _pause(_PAUSE_S * 2 ** (asked.attempts - 1), stopped)
                return self._report(Said.HANDED_BACK, trial=asked.number, text=fault.message)
            outcome = Outcome(state=State.FAILED, reason=f"{asked.attempts} attempts failed, last: {fault.message}")
        except StorageError:
            raise
        except EdgekitError as error:
            outcome = Outcome(state=State.FAILED, reason=error.message)
        except Exception as bug:  # one point must not end the search; the log has the rest
            traceback.print_exc()
            outcome = Outcome(state=State.FAILED, reason=f"{type(bug).__name__}: {bug}"[:300])
        counted = study.tell(asked.number, outcome)
        return self._report(Said.TOLD, trial=asked.number, outcome=outcome if counted else None)

    @property
    def _most_faults(self) -> int:
        """Attempts after which faults are the trial's own doing: all devices would have been left out before."""
        return MOST_FAULTS * (len(self._job.request.devices) + 1)

    def _everybody_else(self, name: str) -> bool:
        """Who lives, for giving our own trial back and nobody else's."""
        return name != self.name

    def _report(
        self,
        said: Said,
        *,
        trial: int | None = None,
        outcome: Outcome | None = None,
        text: str = "",
        error: dict[str, object] | None = None,
    ) -> Report:
        uses = () if said is Said.BEGAN else self._devices.uses()
        return Report(
            worker=self.name, said=said, trial=trial, outcome=outcome, uses=uses, text=text, error=error or {}
        )

    def _on_event(self, event: Event) -> None:
        self._say(Report(worker=self.name, said=Said.PROGRESS, text=event.message))


def _pause(seconds: float, stopped: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopped():
        time.sleep(_LOOK_S)
