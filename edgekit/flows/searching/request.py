"""What a search is asked to do, and what tries one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Parameter
from edgekit.core.search.trial import Outcome
from edgekit.engines._base import Asked, Study
from edgekit.flows.request import CompileRequest


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What to search.

    Attributes:
        compile: model, target, data, metric, accuracy budget (`max_drop`), seed and limits of time for each conversion;
            its `output` is not used. `recipe`, where given, is the one whose parameters are varied.
        folder: of the study: study.db, study.json, artifacts, report.
        architecture: "module:function" of a user or of edgekit.spaces, called with a trial; None searches recipes of
            the given model. With both a model and an architecture the model teaches (distillation).
        parameters: declared in edgekit.toml or by Python; empty takes the default space of model and target.
        goals: empty takes the target's defaults.
        limits: beyond those of the target and `max_drop`.
        engine: name of the engine.
        strategy: of the engine; "" takes its best.
        trials: most trials in all, those before a resume counted; None for no limit.
        budget_s: wall-clock time of this call, s; None for no limit. One of the two is set.
        workers: processes; with `ray` tasks at once.
        ray: address of a Ray cluster, "local" for one on this computer, None for none.
        storage: URL of a PostgreSQL database; None keeps the study in the folder.
        devices: names or URLs that measure; empty: the emulator of the target for boards, and no device stage else.
        resume: go on with the study that is there.
        epochs: most epochs of a trained candidate.
        warm_start: folders of earlier studies.
        trial_timeout_s: most time of one trial.
    """

    compile: CompileRequest
    folder: Path
    architecture: str | None = None
    parameters: tuple[Parameter, ...] = ()
    goals: tuple[Goal, ...] = ()
    limits: tuple[Limit, ...] = ()
    engine: str = "optuna"
    strategy: str = ""
    trials: int | None = None
    budget_s: float | None = None
    workers: int = 1
    ray: str | None = None
    storage: str | None = None
    devices: tuple[str, ...] = ()
    resume: bool = False
    epochs: int = 9
    warm_start: tuple[Path, ...] = field(default=())
    trial_timeout_s: float = 1800.0


class Candidate(Protocol):
    """Tries points of one kind of space; made once a worker, as a context manager, and used for many trials.

    It raises nothing for what a point is to blame for: that is an outcome. What is wrong with the device, the disk or
    the study is raised (`NetworkError`, `DeviceError`, `LockedError`, `StorageError`) and costs the trial a retry.
    """

    def try_(self, asked: Asked, study: Study, *, stopped: Callable[[], bool]) -> Outcome:
        """Try one point, the cheapest stages first."""
