"""A search from its beginning, or from where it was cut off, to its budget's end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.core.errors import EdgekitError, InputError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.trial import FINISHED, Trial
from edgekit.engines._base import ENGINES, Study
from edgekit.flows.searching.budget import Budget
from edgekit.flows.searching.coordinator import Coordinator, End
from edgekit.flows.searching.devices import DeviceBook, locks_folder
from edgekit.flows.searching.job import Job
from edgekit.flows.searching.planned import Planned, planned
from edgekit.flows.searching.processes import Crew, Processes
from edgekit.flows.searching.ray_crew import RayCrew
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.study_folder import (
    LOG,
    StudyFolder,
    held,
    is_study,
    name_for,
    shown_command,
    storage_url,
    without_password,
)


@dataclass(frozen=True, kw_only=True)
class SearchRun:
    """What came of a call of a search; the study has the trials of earlier calls too.

    Attributes:
        study: the folder.
        trials: all of the study, in the order of their numbers.
        goals, limits: of the study, those of the target among them.
        strategy: of the engine.
        importance: by goal and parameter, the share in the goal's variance, 0 to 1; empty with too few trials.
        devices: one for each: device, uses, held_s, faults, left_out.
        seconds: that the call took.
        end: why it ended.
        provenance: what the device's numbers are: "measured", "emulated" or "estimated".
        warnings: for people, one sentence each.
    """

    study: Path
    trials: tuple[Trial, ...]
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]
    strategy: str
    importance: Mapping[str, Mapping[str, float]]
    devices: tuple[Mapping[str, Any], ...]
    seconds: float
    end: End
    provenance: str
    warnings: tuple[str, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it."""
        return self.end is End.INTERRUPTED


def run_search(request: SearchRequest, on_event: OnEvent = ignore, *, command: Sequence[str] = ()) -> SearchRun:
    """Try points until the budget is spent, the space is, or somebody stops it; an interruption is a result too.

    Args:
        request: what to search.
        on_event: listener.
        command: that asked for it, for `study.json`.

    Raises:
        UsageError: the request has no end, or its parts do not go together.
        InputError: there is a study in the folder already and `resume` is not set; or there is none and it is; or it
            is about something else; or another version made it.
        LockedError: another process searches in the folder.
        StorageError: the disk is full or the database does not answer; what was told before is kept.
        EdgekitError: model, data and target do not go together.
    """
    budget = Budget(trials=request.trials, seconds=request.budget_s)
    check_crew(request)
    check_folder(request)
    storage_url(request.storage, request.folder)
    return search(request, planned(request, on_event), budget, on_event, command=command)


def search(
    request: SearchRequest, plan: Planned, budget: Budget, on_event: OnEvent = ignore, *, command: Sequence[str] = ()
) -> SearchRun:
    """`run_search` with its plan made; a plan may name any candidate.

    Raises:
        EdgekitError: see `run_search`.
    """
    check_folder(request)
    with held(request.folder):
        folder = _folder(request, plan, command)
        study_plan = replace(folder.plan(request.storage), warm_start=_earlier(request.warm_start, folder.path))
        settled = replace(request, parameters=study_plan.parameters, goals=study_plan.goals, limits=study_plan.limits)
        job = Job(
            request=settled,
            plan=study_plan,
            opener=plan.opener,
            locks=locks_folder(),
            log=folder.path / LOG,
        )
        with _opened(job, plan, folder) as study:
            return _carried_out(job, study, plan, budget, on_event)


def open_study(path: Path, storage: str | None = None) -> tuple[StudyFolder, Study]:
    """The study of a folder, to be read; close it.

    Args:
        path: of the folder.
        storage: URL of its database where that needs a password.

    Raises:
        InputError: there is none, or another version made it.
        StorageError: the database does not answer.
    """
    folder = StudyFolder.read(path)
    study: Study = ENGINES.load(folder.engine).open(folder.plan(storage), create=False)
    return folder, study


def check_crew(request: SearchRequest) -> None:
    """Refuse workers that cannot work together.

    Raises:
        UsageError: no worker, or computers that would share a file.
    """
    if request.workers < 1:
        raise UsageError(f"{request.workers} workers try nothing", hint="give --workers 1 or more")
    if request.ray not in (None, "local") and request.storage is None:
        raise UsageError(
            "the computers of a Ray cluster cannot share a study that is a file",
            hint="--storage postgresql://user@host/database",
        )


def check_folder(request: SearchRequest) -> None:
    """Refuse to mix studies, before any work.

    Raises:
        InputError: see `run_search`.
    """
    if request.resume and not is_study(request.folder):
        raise InputError(f"there is no study to go on with in {request.folder}", hint="leave out --resume")
    if not request.resume and is_study(request.folder):
        raise InputError(
            f"there is a study in {request.folder} already",
            hint="--resume goes on with it; --study FOLDER begins another",
        )


def _folder(request: SearchRequest, plan: Planned, command: Sequence[str]) -> StudyFolder:
    now = StudyFolder(
        path=request.folder.absolute(),
        name=name_for(request.folder, plan.identity),
        engine=request.engine,
        strategy=plan.strategy,
        seed=request.compile.seed,
        identity=plan.identity,
        parameters=plan.parameters,
        goals=plan.goals,
        limits=plan.limits,
        storage=None if request.storage is None else without_password(request.storage),
        command=shown_command(command),
    )
    if not request.resume:
        now.plan(request.storage)  # says what is wrong with the storage before the folder is marked
        return now
    before = StudyFolder.read(request.folder)
    if request.storage is None:
        now = replace(now, storage=before.storage)
    before.require_same(now)
    return before


@contextmanager
def _opened(job: Job, plan: Planned, folder: StudyFolder) -> Iterator[Study]:
    """The study; a new one gets its first points, and only then its folder says that it is one."""
    resume, is_begun = job.request.resume, True
    study = job.open_study(create=not resume)
    try:
        if not resume:
            if plan.first_points and not study.trials():
                study.enqueue(plan.first_points)
            folder.write()
        yield study
    except EdgekitError:
        is_begun = resume or any(trial.outcome is not None for trial in study.trials())
        raise
    finally:
        study.close()
        if not is_begun:  # whoever mends what was wrong need not name another folder
            folder.forget()


def _carried_out(job: Job, study: Study, plan: Planned, budget: Budget, on_event: OnEvent) -> SearchRun:
    began = time.monotonic()
    request = job.request
    book = DeviceBook(request.devices)
    coordinator = Coordinator(
        study, _crew(job), book, budget, trial_timeout_s=request.trial_timeout_s, on_event=on_event
    )
    end = coordinator.run()
    trials = study.trials()
    return SearchRun(
        study=request.folder,
        trials=trials,
        goals=job.plan.goals,
        limits=job.plan.limits,
        strategy=job.plan.strategy,
        importance={goal.metric: study.importance(goal) for goal in job.plan.goals},
        devices=tuple(asdict(record) for record in book.records),
        seconds=time.monotonic() - began,
        end=end,
        provenance=plan.provenance,
        warnings=(*plan.warnings, *coordinator.warnings),
    )


def _crew(job: Job) -> Crew:
    return Processes(job, job.request.workers) if job.request.ray is None else RayCrew(job)


def _earlier(folders: Sequence[Path], this: Path) -> tuple[Trial, ...]:
    """Finished trials of earlier studies, for the engine to learn from."""
    trials: list[Trial] = []
    for path in folders:
        if path.absolute() == this:
            raise UsageError(f"a study cannot warm itself: {path}", hint="--resume goes on with it")
        _, study = open_study(path)
        try:
            trials += [trial for trial in study.trials() if trial.state in FINISHED]
        finally:
            study.close()
    return tuple(trials)
