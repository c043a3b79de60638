"""What a worker needs to know to try points of a study, and what it says while it does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core.search.trial import Outcome
from edgekit.engines._base import ENGINES, Study, StudyPlan
from edgekit.flows.searching.devices import Use
from edgekit.flows.searching.request import Candidate, SearchRequest

if TYPE_CHECKING:
    from edgekit.flows.searching.tools import Tools


@dataclass(frozen=True, kw_only=True)
class Job:
    """The work of a study; it goes to worker processes, here or on other computers.

    Attributes:
        request: what to search; `compile.output` is not used.
        plan: of the study.
        opener: "module:function" that gives, for the request and `Tools`, a context manager of a Candidate.
        locks: folder of the devices' locks.
        log: file that takes what a worker's libraries print; None leaves their output alone.
    """

    request: SearchRequest
    plan: StudyPlan
    opener: str
    locks: Path
    log: Path | None = None

    def open_study(self, *, create: bool = False) -> Study:
        """The study, open.

        Raises:
            EdgekitError: see `Engine.open`.
        """
        study: Study = ENGINES.load(self.request.engine).open(self.plan, create=create)
        return study

    def open_candidate(self, tools: Tools) -> AbstractContextManager[Candidate]:
        """What tries points.

        Raises:
            EdgekitError: the model, the data and the target do not allow any trial.
        """
        module, _, function = self.opener.partition(":")
        opened: AbstractContextManager[Candidate] = getattr(import_module(module), function)(self.request, tools)
        return opened


class Said(StrEnum):
    """What a report is about."""

    PROGRESS = "progress"
    """`text`, for people."""

    BEGAN = "began"
    """Trial `trial` was begun."""

    TOLD = "told"
    """Trial `trial` was concluded with `outcome`."""

    HANDED_BACK = "handed back"
    """Trial `trial` waits again: its device or network failed, or the search stops."""

    EXHAUSTED = "exhausted"
    """There was no point left to try."""

    BROKEN = "broken"
    """No trial can be tried, and `error` says why: the study, the disk, the model."""

    GONE = "gone"
    """The worker died; `text` says how."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a worker says.

    Attributes:
        worker: its name in the study.
        said: what about.
        trial: number of the trial, where there is one.
        outcome: of the trial, once it was told; None where somebody else had concluded it before.
        uses: of devices, since the last report.
        text: for people.
        error: as `EdgekitError.as_json` gives it.
    """

    worker: str
    said: Said
    trial: int | None = None
    outcome: Outcome | None = None
    uses: tuple[Use, ...] = ()
    text: str = ""
    error: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ends(self) -> bool:
        """Whether the worker does nothing after it until it is asked again."""
        return self.said not in (Said.PROGRESS, Said.BEGAN)
