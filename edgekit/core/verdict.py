"""A figure held against its limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What came of it."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One budget and what was found.

    Attributes:
        metric: "flash_bytes", "ram_bytes", "latency_p90_ns", "accuracy_drop", or "metric_drop" for a metric that is not
            top-1; its reason names it.
        value: in the metric's own unit; None when it is not known.
        limit: in the same unit.
        outcome: inconclusive when the value is not known, or does not speak of the machine.
        reason: one clause.
    """

    metric: str
    value: float | None
    limit: float
    outcome: Outcome
    reason: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of a gate: a budget, or a figure held against a baseline's.

    Attributes:
        metric: as of `Verdict`; of a regression "latency_ns", "instructions", "ram_bytes", "flash_bytes", "accuracy".
        device: the device's name.
        value: in the metric's own unit; None when it is not known.
        baseline: the same of the baseline; None for a budget.
        limit: what `value` is held against; for a regression what the baseline's value may become.
        outcome: inconclusive when the value is not known, or does not settle it.
        reason: one clause, with the interval and what would settle an open question.
    """

    metric: str
    device: str
    value: float | None
    baseline: float | None
    limit: float | None
    outcome: Outcome
    reason: str

    def as_json(self) -> dict[str, object]:
        """The check in a document."""
        return {**vars(self), "outcome": str(self.outcome)}


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """Fail if one fails, else inconclusive if one is, else pass."""
    found = set(outcomes)
    if Outcome.FAIL in found:
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in found else Outcome.PASS
