"""Declared parameters in Optuna's terms."""

from __future__ import annotations

from typing import Any

from edgekit.core.search.space import Choice, Integer, Parameter, Value


def distribution(optuna: Any, parameter: Parameter) -> Any:
    """What Optuna calls a parameter."""
    if isinstance(parameter, Choice):
        return optuna.distributions.CategoricalDistribution(parameter.values)
    if isinstance(parameter, Integer):
        return optuna.distributions.IntDistribution(
            parameter.low, _last(parameter), log=parameter.log, step=parameter.step
        )
    return optuna.distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def suggest(trial: Any, parameter: Parameter) -> Value:
    """A value of a parameter, from whatever samples for a trial."""
    value: Value
    if isinstance(parameter, Choice):
        value = trial.suggest_categorical(parameter.name, parameter.values)
    elif isinstance(parameter, Integer):
        value = trial.suggest_int(
            parameter.name, parameter.low, _last(parameter), step=parameter.step, log=parameter.log
        )
    else:
        value = trial.suggest_float(parameter.name, parameter.low, parameter.high, log=parameter.log)
    return value


def _last(parameter: Integer) -> int:
    """The largest value on the steps."""
    return parameter.high - (parameter.high - parameter.low) % parameter.step
