"""What the stages of one trial find, gathered until it is an outcome."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from edgekit.core.search.goals import Limit
from edgekit.core.search.trial import Outcome, State


@dataclass(kw_only=True)
class Findings:
    """Findings so far; the attributes are those of `Outcome`.

    Attributes:
        limits: constraints of the study.
    """

    limits: Sequence[Limit]
    values: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    measured: set[str] = field(default_factory=set)
    stage: str = ""
    steps: tuple[Mapping[str, Any], ...] = ()
    artifact: str = ""
    proxies: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    device_s: float = 0.0
    flags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        """Time a stage; it may be entered several times."""
        self.stage = stage
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - began

    def violations(self) -> dict[str, float]:
        """What is exceeded by how much, by metric, as far as values are known."""
        found = {
            limit.metric: limit.violation(self.values[limit.metric])
            for limit in self.limits
            if limit.metric in self.values
        }
        return {metric: amount for metric, amount in found.items() if amount > 0}

    def infeasible(self) -> Outcome | None:
        """The outcome of a trial that exceeds a limit; None while none is exceeded."""
        if not (violations := self.violations()):
            return None
        said = [
            f"{limit.metric} is {self.values[limit.metric]:g}, {limit.source or 'the limit'} allows {limit.most:g}"
            for limit in self.limits
            if limit.metric in violations
        ]
        return self.outcome(State.INFEASIBLE, "; ".join(said))

    def outcome(self, state: State, reason: str = "") -> Outcome:
        """The end of the trial; one that is complete tells of limits that nothing was held against."""
        unknown = [limit.metric for limit in self.limits if limit.metric not in self.values]
        if state is State.COMPLETE and unknown:
            self.notes.append(f"Not known, so its limit was not checked: {', '.join(unknown)}.")
        return Outcome(
            state=state,
            values=self.values,
            intervals=self.intervals,
            measured=frozenset(self.measured),
            violations=self.violations(),
            stage=self.stage,
            reason=reason,
            steps=self.steps,
            artifact=self.artifact,
            proxies=self.proxies,
            seconds=self.seconds,
            device_s=self.device_s,
            flags=tuple(self.flags),
            notes=tuple(self.notes),
        )
