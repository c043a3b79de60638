"""What a search is for: what is made small or large, and what must not be exceeded."""

from __future__ import annotations

from dataclasses import dataclass

MAXIMIZED = frozenset({"accuracy"})
"""Everything else that can be measured is better when it is smaller."""

METRICS = {
    "accuracy": "share of right answers, or what --metric says; 0 to 1 for top-k",
    "accuracy_drop": "what is lost against the given model, in the metric's unit",
    "latency_ns": "median time of one inference on the device, ns",
    "instructions": "instructions of one inference, exact under emulation",
    "ram_bytes": "arena and other memory of a board; peak memory of the process elsewhere",
    "flash_bytes": "flash of the linked image of a board",
    "size_bytes": "the artifact",
    "zip_bytes": "the artifact after deflate",
    "macs": "multiply-accumulates of one inference",
}
"""Every metric that a trial can have, with its meaning and unit."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A metric that is made as good as possible.

    Attributes:
        metric: one of `METRICS`.
    """

    metric: str

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return self.metric in MAXIMIZED

    def cost(self, value: float) -> float:
        """The value as something to be made small."""
        return -value if self.maximize else value


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A constraint, not a penalty: a trial beyond it is never in the front.

    Attributes:
        metric: one of `METRICS`.
        most: the largest value that is allowed; for a maximized metric the smallest.
        source: who set it, for messages: "the board cortex_m4", "--max-drop", "edgekit.toml".
    """

    metric: str
    most: float
    source: str = ""

    def violation(self, value: float) -> float:
        """How far a value is beyond the limit, in the metric's unit; 0 or less keeps it."""
        return self.most - value if self.metric in MAXIMIZED else value - self.most
