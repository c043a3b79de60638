"""The table `[gate]` of edgekit.toml: a baseline, what may become worse, and limits for each target."""

from __future__ import annotations

from pydantic import Field, field_validator

from edgekit.config._fields import BudgetsSection, Section, Share, Text, Word
from edgekit.config.targets import budgets_of
from edgekit.core.errors import ConfigurationError
from edgekit.core.gate import FailOn, GateSettings, TargetRules


class AllowSection(Section):
    """How much worse than its baseline a build may be; a key that is left out keeps its default."""

    accuracy_drop: Share | None = Field(default=None, description="of top-1 or the project's metric; default 1%")
    latency: Share | None = Field(
        default=None, description="growth of the median; default max(3%, twice the device's noise floor)"
    )
    instructions: Share | None = Field(default=None, description="growth of the instructions of a call; default 1%")
    ram: Share | None = Field(default=None, description="growth of the peak memory; default 3%")
    flash: Share | None = Field(default=None, description="growth of the artifact's file; default 1%")


class GateTargetSection(Section):
    """What is different for one target."""

    budgets: BudgetsSection = BudgetsSection()
    allow: AllowSection = AllowSection()


class GateSection(Section):
    """What `edgekit gate` holds a build to."""

    baseline: Word | None = Field(default=None, description="name of the baseline, as edgekit baseline save wrote it")
    fail_on: tuple[Text, ...] = Field(
        default=(), description="regression, budget, inconclusive, noisy, or the name of a metric; default: all checks"
    )
    allow: AllowSection = AllowSection()
    targets: dict[Word, GateTargetSection] = Field(default_factory=dict, description="by the target's name")

    @field_validator("fail_on")
    @classmethod
    def _rules_are_known(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        try:
            FailOn.parse(rules)
        except ConfigurationError as cause:
            raise ValueError(f"{cause.message}; {cause.hint}") from cause
        return rules


def gate_of(section: GateSection) -> GateSettings:
    """The values of a `[gate]` table."""
    return GateSettings(
        baseline=section.baseline,
        fail_on=section.fail_on,
        allow=_allowed(section.allow),
        targets={
            name: TargetRules(budgets=budgets_of(own.budgets), allow=_allowed(own.allow))
            for name, own in section.targets.items()
        },
    )


def _allowed(section: AllowSection) -> dict[str, float]:
    return {key: value for key, value in section.model_dump().items() if value is not None}
