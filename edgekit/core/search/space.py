"""What may be varied: parameters with their values, the points of their spaces, and whether a space makes sense."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.core.digest import sha256_json
from edgekit.core.errors import ConfigurationError

Value = bool | int | float | str
"""What a parameter may be; it goes through JSON unchanged."""


@dataclass(frozen=True, kw_only=True)
class When:
    """A condition: another parameter, declared before, has one of some values.

    Attributes:
        name: of the other parameter.
        values: with which this one counts.
    """

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values, without an order.

    Attributes:
        name: unique in its space, e.g. "prune.sparsity" or "conv2d.precision".
        values: at least one, all different.
        when: all of them must hold, else the parameter does not exist in a point.
    """

    name: str
    values: tuple[Value, ...]
    when: tuple[When, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Integer:
    """A whole number, both ends included; `log` draws it evenly by its logarithm, with step 1."""

    name: str
    low: int
    high: int
    step: int = 1
    log: bool = False
    when: tuple[When, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Real:
    """A real number, both ends included; `log` draws it evenly by its logarithm."""

    name: str
    low: float
    high: float
    log: bool = False
    when: tuple[When, ...] = ()


Parameter = Choice | Integer | Real

_KINDS: dict[str, type[Choice] | type[Integer] | type[Real]] = {"choice": Choice, "integer": Integer, "real": Real}


def check_space(parameters: Sequence[Parameter]) -> None:
    """See that a declaration makes sense.

    Raises:
        ConfigurationError: names are not unique, a range is empty, or a condition names what was not declared before.
    """
    known: dict[str, Parameter] = {}
    for parameter in parameters:
        name = parameter.name
        if not name or name in known:
            raise ConfigurationError(f"the search space has two parameters {name!r}", hint="give each its own name")
        _check_values(parameter)
        for condition in parameter.when:
            other = known.get(condition.name)
            if other is None:
                raise ConfigurationError(
                    f"parameter {name!r} depends on {condition.name!r}, which is not declared before it",
                    hint="declare the other one first",
                )
            if not condition.values or not all(_holds(other, value) for value in condition.values):
                raise ConfigurationError(
                    f"parameter {name!r} waits for values of {condition.name!r} that it never has",
                    hint="name values of that parameter",
                )
        known[name] = parameter


def is_active(parameter: Parameter, point: Mapping[str, Value]) -> bool:
    """Whether a parameter exists beside the values of the ones before it."""
    return all(point.get(condition.name) in condition.values for condition in parameter.when)


def values_of(parameter: Parameter) -> tuple[Value, ...] | None:
    """Every value of a parameter in order; None for real numbers."""
    if isinstance(parameter, Choice):
        return parameter.values
    if isinstance(parameter, Integer):
        return tuple(range(parameter.low, parameter.high + 1, parameter.step))
    return (parameter.low,) if parameter.low == parameter.high else None


def size(parameters: Sequence[Parameter], *, most: int = 1_000_000) -> int | None:
    """How many points a space has; None for infinitely many, or more than `most`."""
    if any(values_of(parameter) is None for parameter in parameters):
        return None
    counted = 0
    for _ in points(parameters):
        counted += 1
        if counted > most:
            return None
    return counted


def points(parameters: Sequence[Parameter]) -> Iterator[dict[str, Value]]:
    """Every point of a finite space, the last parameter changing fastest.

    Raises:
        ValueError: the space is not finite.
    """
    if not parameters:
        yield {}
        return
    yield from _points(parameters, 0, {})


def _points(parameters: Sequence[Parameter], place: int, point: dict[str, Value]) -> Iterator[dict[str, Value]]:
    if place == len(parameters):
        yield dict(point)
        return
    parameter = parameters[place]
    if not is_active(parameter, point):
        yield from _points(parameters, place + 1, point)
        return
    values = values_of(parameter)
    if values is None:
        raise ValueError(f"{parameter.name} has no end of values")
    for value in values:
        yield from _points(parameters, place + 1, {**point, parameter.name: value})


def check_point(parameters: Sequence[Parameter], point: Mapping[str, Value]) -> None:
    """See that a point is in a space.

    Raises:
        ConfigurationError: it is not; the message says why.
    """
    expected: dict[str, Value] = {}
    for parameter in parameters:
        if not is_active(parameter, expected):
            continue
        if parameter.name not in point:
            raise ConfigurationError(f"the point lacks {parameter.name!r}", hint="give every parameter that counts")
        value = point[parameter.name]
        if not _holds(parameter, value):
            raise ConfigurationError(
                f"{value!r} is no value of {parameter.name!r}", hint="take one that the space declares"
            )
        expected[parameter.name] = value
    if spare := sorted(set(point) - set(expected)):
        raise ConfigurationError(
            f"the point has {spare[0]!r}, which does not count beside the rest", hint="leave it out"
        )


def digest(parameters: Sequence[Parameter]) -> str:
    """Of a declaration: two spaces with the same one are the same."""
    return sha256_json(as_json(parameters))


def as_json(parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    """A declaration for a file."""
    kinds = {kind: name for name, kind in _KINDS.items()}
    return [{"kind": kinds[type(parameter)], **_plain(asdict(parameter))} for parameter in parameters]


def from_json(given: Sequence[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    """The declaration that `as_json` wrote."""
    found: list[Parameter] = []
    for each in given:
        fields = {name: value for name, value in each.items() if name != "kind"}
        when = tuple(When(name=one["name"], values=tuple(one["values"])) for one in fields.pop("when", ()))
        if "values" in fields:
            fields["values"] = tuple(fields["values"])
        found.append(_KINDS[each["kind"]](**fields, when=when))
    return tuple(found)


def _plain(value: Any) -> Any:
    """JSON's own types: tuples become lists."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _check_values(parameter: Parameter) -> None:
    name = parameter.name
    if isinstance(parameter, Choice):
        if not parameter.values or len(set(parameter.values)) != len(parameter.values):  # 1, 1.0 and True are equal
            raise ConfigurationError(f"parameter {name!r} needs values that all differ", hint="list each one once")
        return
    if not (math.isfinite(parameter.low) and math.isfinite(parameter.high)) or parameter.low > parameter.high:
        raise ConfigurationError(
            f"parameter {name!r} runs from {parameter.low} to {parameter.high}, which holds nothing",
            hint="give the smaller end first",
        )
    if parameter.log and parameter.low <= 0:
        raise ConfigurationError(f"parameter {name!r} has no logarithm at {parameter.low}", hint="begin above 0")
    if isinstance(parameter, Integer) and (parameter.step < 1 or (parameter.log and parameter.step != 1)):
        raise ConfigurationError(
            f"parameter {name!r} has the step {parameter.step}", hint="take 1 or more, and 1 for a logarithmic one"
        )


def _holds(parameter: Parameter, value: Value) -> bool:
    if isinstance(parameter, Choice):
        return any(type(value) is type(each) and value == each for each in parameter.values)
    if isinstance(value, bool | str):
        return False
    if not parameter.low <= value <= parameter.high:
        return False
    return isinstance(parameter, Real) or (isinstance(value, int) and (value - parameter.low) % parameter.step == 0)
