"""One point of a space that was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from edgekit.core.search.space import Value


class State(StrEnum):
    """How far a trial came."""

    WAITING = "waiting"
    """It was asked for (a given point, or one whose worker died) and nobody has begun it."""

    RUNNING = "running"
    COMPLETE = "complete"
    """Every goal is known; `measured` says which of its values come from the device."""

    PRUNED = "pruned"
    """Given up early: dominated while training, or it could not reach the front."""

    INFEASIBLE = "infeasible"
    """A limit is exceeded for certain, found at whatever stage; `violations` says by how much."""

    REFUSED = "refused"
    """The model, the recipe and the target do not go together: no error of anybody's."""

    FAILED = "failed"
    """It raised, timed out, or its objective was not a number; `reason` says what."""


FINISHED = frozenset(State) - {State.WAITING, State.RUNNING}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one trial; what a worker tells the study.

    Attributes:
        state: a finished one.
        values: by metric (`goals.METRICS`), as far as they became known.
        intervals: by metric, 95 %: (low, high).
        measured: the metrics that the device, real or emulated, gave; the others are static, of this computer, or
            predicted.
        violations: by metric, what is exceeded by how much, in the metric's unit; empty when all limits hold.
        stage: the last stage that ran: "static", "proxies", "training", "accuracy", "device".
        reason: one clause; empty for COMPLETE.
        steps: the recipe: [{"pass": name, "params": {...}}], empty where none was made.
        artifact: sha256 of what would be deployed; "" where there is none.
        proxies: zero-cost proxies by name.
        seconds: wall-clock time of the trial on its worker, by stage.
        device_s: time for which the trial held a device, s.
        flags: validity flags of the measurement.
        notes: for people, one sentence each.
    """

    state: State
    values: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()
    violations: Mapping[str, float] = field(default_factory=dict)
    stage: str = ""
    reason: str = ""
    steps: tuple[Mapping[str, Any], ...] = ()
    artifact: str = ""
    proxies: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    device_s: float = 0.0
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial as the study keeps it.

    Attributes:
        number: 0, 1, 2, ... in the order of asking; it stays when a trial is begun anew.
        params: the point, by parameter.
        outcome: None while it is waiting or running.
        state: of the outcome, or WAITING, or RUNNING.
        worker: who runs or ran it.
        attempts: how often it was begun; more than 1 after a worker or a device died.
        began, ended: seconds since the epoch; None while not.
    """

    number: int
    params: Mapping[str, Value]
    state: State
    outcome: Outcome | None = None
    worker: str = ""
    attempts: int = 1
    began: float | None = None
    ended: float | None = None
