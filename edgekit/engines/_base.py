"""What every search engine does: it proposes points and learns from what came of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from edgekit.core.registry import Registry
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Parameter, Value
from edgekit.core.search.trial import Outcome, Trial

ENGINES = Registry(kind="engines", package="edgekit.engines", attribute="ENGINE")


class Suggests(Protocol):
    """The part of Optuna's Trial that a user's `module:function(trial)` may use; names and meaning are Optuna's."""

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        """One of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number, both ends included."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A real number, both ends included."""


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What a study is; two processes with the same plan and storage work on the same study.

    Attributes:
        name: of the study.
        storage: "sqlite:////absolute/path/study.db" or "postgresql+psycopg://...".
        identity: what must be the same when the study goes on: {"schema": 1, "target": ..., "model": sha256 or name,
            "data": sha256, "space": digest, "goals": [...], "limits": {...}}.
        parameters: declared ones; empty where a user's function declares them as it runs.
        goals: at least one.
        limits: constraints.
        strategy: "tpe", "nsga2", "nsga3", "random", "grid"; engines may know others.
        seed: of the sampler.
        startup_trials: random trials before a model-based strategy begins.
        warm_start: outcomes of earlier studies with fitting parameters: told before the first trial, never counted.
    """

    name: str
    storage: str
    identity: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...]
    strategy: str = "tpe"
    seed: int = 0
    startup_trials: int = 10
    warm_start: tuple[Trial, ...] = field(default=())


class Asked(ABC):
    """A trial that was begun.

    Attributes:
        number: of the trial: 0, 1, 2, ... in the order of asking.
        attempts: 1, or more after a worker died.
    """

    number: int
    attempts: int

    @property
    @abstractmethod
    def params(self) -> Mapping[str, Value]:
        """The point as far as it is known: all of it for declared parameters."""

    @property
    @abstractmethod
    def suggests(self) -> Suggests:
        """For functions that declare parameters as they run."""


class Study(ABC):
    """An open study. Every change is durable when its call returns, and safe among processes on several machines."""

    @abstractmethod
    def ask(self, worker: str) -> Asked | None:
        """Begin the next trial: a waiting one, else a new point; None when the space is exhausted."""

    @abstractmethod
    def tell(self, number: int, outcome: Outcome) -> bool:
        """Conclude a trial.

        Returns:
            Whether it counted: False when it was concluded or requeued before, e.g. by those who thought us dead.
        """

    @abstractmethod
    def keep(self, name: str, value: Any) -> None:
        """Remember a JSON value with the study, e.g. a result of training at a rung, under a name of its own."""

    @abstractmethod
    def kept(self, prefix: str) -> Mapping[str, Any]:
        """What was remembered under names with a prefix."""

    @abstractmethod
    def trials(self) -> tuple[Trial, ...]:
        """All trials in the order of their numbers."""

    @abstractmethod
    def requeue(self, is_alive: Callable[[str], bool], *, most_attempts: int = 3) -> tuple[int, ...]:
        """Let running trials of dead workers wait again, under the same number; after `most_attempts` they fail.

        Args:
            is_alive: whether a worker, by its name, still runs.

        Returns:
            Numbers of the trials that wait again.
        """

    @abstractmethod
    def enqueue(self, points: Sequence[Mapping[str, Value]]) -> None:
        """Have points tried first, e.g. the recipe as it is.

        Raises:
            ConfigurationError: one is not in the declared space.
        """

    @abstractmethod
    def importance(self, goal: Goal) -> Mapping[str, float]:
        """Share of each parameter in a goal's variance, 0 to 1; empty with too few trials."""

    @abstractmethod
    def close(self) -> None:
        """Give connections back."""


class Engine(ABC):
    """An engine.

    Attributes:
        strategies: that it knows, the best first.
    """

    strategies: tuple[str, ...]

    @abstractmethod
    def open(self, plan: StudyPlan, *, create: bool) -> Study:
        """Open a study, made anew where `create` is set and it is not there.

        Raises:
            InputError: `create` is not set and there is none; or what is there has another identity (says what
                differs), or was made by another version.
            UnsupportedError: the engine's library is not installed, or it does not know the strategy.
            StorageError: the disk is full, or the database does not answer.
        """
