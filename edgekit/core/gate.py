"""What a gate holds a build to: how much worse than its baseline it may be, and which findings make it fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edgekit.core.errors import ConfigurationError
from edgekit.core.suggest import did_you_mean
from edgekit.core.target import Budgets


class Kind(StrEnum):
    """What a figure is held against."""

    BUDGET = "budget"
    REGRESSION = "regression"


INCONCLUSIVE, NOISY = "inconclusive", "noisy"
"""Rules that add findings; the others choose among them."""

DEVICE = "device"
"""The check of a device that could not be asked; no rule leaves it out."""

METRICS = (
    "latency_ns", "instructions", "ram_bytes", "flash_bytes", "accuracy", "latency_p90_ns", "accuracy_drop",
    "metric_drop",
)  # fmt: skip
RULES = (*(str(kind) for kind in Kind), INCONCLUSIVE, NOISY, *METRICS)


@dataclass(frozen=True, kw_only=True)
class Allowances:
    """How much worse than its baseline a build may be, as shares of the baseline's figure.

    Attributes:
        accuracy_drop: in the metric's own unit, 0.01 is one point of a share.
        latency: None takes the device's own margin, max(3 %, twice its noise floor).
        instructions, ram, flash: growth.
    """

    accuracy_drop: float = 0.01
    latency: float | None = None
    instructions: float = 0.01
    ram: float = 0.03
    flash: float = 0.01


@dataclass(frozen=True, kw_only=True)
class TargetRules:
    """What is different for one target.

    Attributes:
        budgets: those that are set win over the project's.
        allow: fields of `Allowances` that win over the gate's.
    """

    budgets: Budgets = field(default_factory=Budgets)
    allow: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """The table `[gate]` of a project.

    Attributes:
        baseline: the baseline's name when nobody names one.
        fail_on: rules when nobody names any.
        allow: fields of `Allowances`, for every target.
        targets: what is different, by the target's name.
    """

    baseline: str | None = None
    fail_on: tuple[str, ...] = ()
    allow: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, TargetRules] = field(default_factory=dict)

    def allowances(self, target: str) -> Allowances:
        """What may become worse on a target."""
        own = self.targets.get(target, TargetRules())
        return Allowances(**{**self.allow, **own.allow})

    def budgets(self, target: str, given: Budgets) -> Budgets:
        """The limits of a target: its own here, else those that it has anyway."""
        own = self.targets.get(target, TargetRules()).budgets
        return Budgets(**{**vars(given), **{key: value for key, value in vars(own).items() if value is not None}})


@dataclass(frozen=True, kw_only=True)
class FailOn:
    """Which findings count.

    Attributes:
        chosen: kinds and metrics; empty chooses every finding.
        inconclusive: what is open counts as failed.
        noisy: a figure that something disturbed counts as failed.
    """

    chosen: frozenset[str] = frozenset()
    inconclusive: bool = False
    noisy: bool = False

    @classmethod
    def parse(cls, rules: Iterable[str]) -> FailOn:
        """Read rules as people write them.

        Raises:
            ConfigurationError: there is no such rule.
        """
        named = set(rules)
        for rule in sorted(named - set(RULES)):
            raise ConfigurationError(
                f"there is no rule {rule!r} to fail on", hint=did_you_mean(rule, RULES) or f"one of {', '.join(RULES)}"
            )
        return cls(
            chosen=frozenset(named - {INCONCLUSIVE, NOISY}), inconclusive=INCONCLUSIVE in named, noisy=NOISY in named
        )

    def covers(self, kind: Kind, metric: str) -> bool:
        """Whether a finding counts."""
        return not self.chosen or not self.chosen.isdisjoint({str(kind), metric})
