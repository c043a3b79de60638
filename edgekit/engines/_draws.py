"""What Optuna's samplers would try next, drawn before there is a trial, so that a point that was tried costs none."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core.search.space import Choice, Integer, Parameter, Value, is_active
from edgekit.engines._distributions import distribution


def draw(
    optuna: Any, study: Any, sampler: Any, parameters: Sequence[Parameter]
) -> tuple[dict[str, Value], Mapping[str, Any]]:
    """What a sampler proposes, asked as Optuna's own trial asks it; nothing is written of a trial.

    Args:
        optuna: the library.
        study: Optuna's, from whose trials the sampler learns.
        sampler: that is asked.
        parameters: declared ones.

    Returns:
        The point, and what the sampler wants to be kept with its trial, such as the generation: system attributes.
    """
    asking, notepad = copy.copy(study), _Notepad(study._storage)
    asking._storage = notepad
    sketch = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)  # number and id are -1
    together = sampler.sample_relative(asking, sketch, sampler.infer_relative_search_space(asking, sketch))
    point: dict[str, Value] = {}
    for parameter in parameters:
        if not is_active(parameter, point):
            continue
        name, known = parameter.name, distribution(optuna, parameter)
        if known.single():
            value = parameter.values[0] if isinstance(parameter, Choice) else parameter.low
        elif name in together and known._contains(known.to_internal_repr(together[name])):
            value = together[name]
        else:
            value = sampler.sample_independent(asking, sketch, name, known)
        point[name] = _declared(parameter, value)
    return point, notepad.notes


class _Notepad:
    """A storage to read from; what a sampler notes of the trial, which is not there yet, is kept here."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.notes: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_system_attr(self, _trial_id: int, key: str, value: Any) -> None:
        self.notes[key] = value


def _declared(parameter: Parameter, value: Any) -> Value:
    """The value as it was declared: of Python's own type, and True is not 1."""
    if isinstance(parameter, Choice):
        return next(each for each in parameter.values if type(each) is type(value) and each == value)
    return int(value) if isinstance(parameter, Integer) else float(value)
