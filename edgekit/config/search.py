"""The table `[search]` of edgekit.toml, or the same as a file of its own: a space, goals and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, field_validator, model_validator

from edgekit.config._fields import File, Number, Section, Text, Word
from edgekit.config._toml import read_toml, validate
from edgekit.core.errors import ConfigurationError
from edgekit.core.function_name import is_function_name
from edgekit.core.search.goals import METRICS, Goal, Limit
from edgekit.core.search.settings import SearchSettings
from edgekit.core.search.space import Choice, Integer, Parameter, Real, When, check_space
from edgekit.core.suggest import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

_Value = StrictBool | StrictInt | StrictFloat | StrictStr
_Values = Annotated[tuple[_Value, ...], Field(min_length=1)]


class ParameterSection(Section):
    """One parameter: a list of values, or a range."""

    values: _Values | None = Field(default=None, description="values without an order")
    low: StrictInt | StrictFloat | None = Field(default=None, description="smallest value, included")
    high: StrictInt | StrictFloat | None = Field(default=None, description="largest value, included")
    step: Annotated[int, Field(strict=True, gt=0)] = Field(default=1, description="of a range of whole numbers")
    log: StrictBool = Field(default=False, description="draw evenly by the logarithm")
    when: dict[Text, _Values] = Field(
        default_factory=dict, description="other parameters, declared before, with the values beside which this counts"
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        is_range = self.low is not None and self.high is not None
        if (self.values is None) == (not is_range) or (self.values is not None and (self.low or self.high) is not None):
            raise ValueError("give either values, or low and high")
        return self


class SearchSection(Section):
    """What `edgekit search` varies, and what for."""

    architecture: Text | None = Field(
        default=None, description='function that builds nets, as in "package.module:function"'
    )
    parameters: dict[Text, _Values | ParameterSection] = Field(
        default_factory=dict, description="by name, such as quantize or prune.sparsity: a list, or a table"
    )
    goals: tuple[Word, ...] = Field(default=(), description=f"metrics to make good: {', '.join(METRICS)}")
    at_most: dict[Word, Number] = Field(default_factory=dict, description="limits by metric")
    at_least: dict[Word, Number] = Field(default_factory=dict, description="limits of metrics that grow: accuracy")
    strategy: Word | None = Field(default=None, description="tpe, nsga2, nsga3, random or grid")

    @field_validator("goals", "at_most", "at_least")
    @classmethod
    def _metrics_are_known(cls, names: tuple[str, ...] | dict[str, float]) -> tuple[str, ...] | dict[str, float]:
        for name in names:
            if name not in METRICS:
                raise ValueError(f"there is no metric {name!r}; {did_you_mean(name, METRICS) or ', '.join(METRICS)}")
        return names

    @model_validator(mode="after")
    def _is_a_space(self) -> Self:
        if self.architecture is not None and not is_function_name(self.architecture):
            raise ValueError(f'architecture {self.architecture!r} is no function, as in "package.module:function"')
        try:
            check_space(_parameters(self))
            for name in self.at_most:
                _limit(name, 0.0, "at_most")
            for name in self.at_least:
                _limit(name, 0.0, "at_least")
        except ConfigurationError as cause:
            raise ValueError(f"{cause.message}; {cause.hint}") from cause
        return self


class SpaceFile(SearchSection, File):
    """A search as a file of its own."""


def search_of(section: SearchSection) -> SearchSettings:
    """The values of a `[search]` table."""
    return SearchSettings(
        architecture=section.architecture,
        parameters=_parameters(section),
        goals=tuple(Goal(metric=name) for name in section.goals),
        limits=(
            *(_limit(name, value, "at_most") for name, value in section.at_most.items()),
            *(_limit(name, value, "at_least") for name, value in section.at_least.items()),
        ),
        strategy=section.strategy or "",
    )


def load_search(path: Path) -> SearchSettings:
    """Read a search from a file with the keys of `[search]`.

    Raises:
        ConfigurationError: the file is wrong.
        InputError: the path is not a readable file.
    """
    return search_of(validate(SpaceFile, read_toml(path, what="search")))


def _parameters(section: SearchSection) -> tuple[Parameter, ...]:
    return tuple(_parameter(name, given) for name, given in section.parameters.items())


def _parameter(name: str, given: tuple[_Value, ...] | ParameterSection) -> Parameter:
    if isinstance(given, tuple):
        return Choice(name=name, values=given)
    when = tuple(When(name=other, values=values) for other, values in given.when.items())
    if given.values is not None:
        return Choice(name=name, values=given.values, when=when)
    low, high = given.low, given.high
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return Integer(name=name, low=low, high=high, step=given.step, log=given.log, when=when)
    if given.step != 1:
        raise ConfigurationError(f"parameter {name!r} has a step between real numbers", hint="list its values")
    return Real(name=name, low=float(low), high=float(high), log=given.log, when=when)


def _limit(metric: str, value: float, key: str) -> Limit:
    limit = Limit(metric=metric, most=value, source=key)
    fitting = "at_least" if Goal(metric=metric).maximize else "at_most"
    if key != fitting:
        raise ConfigurationError(f"{key} cannot limit {metric}", hint=f"{fitting} does")
    return limit
