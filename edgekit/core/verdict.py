"""A figure held against its limit."""

from __future__ import annotations

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
