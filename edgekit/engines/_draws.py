"""What Optuna's samplers would try next, drawn before there is a trial, so that a point that was tried costs none."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.core.search.space import Choice, Integer, Parameter, Value, is_active
from edgekit.engines._distributions import distribution


class Drawing:
    """What samplers propose from the trials of one moment, asked as Optuna's own trial asks them.

    Args:
        optuna: the library.
        study: Optuna's, from whose trials samplers learn; no trial is written to it. An evolution keeps the parents
            of a generation in it, as it does with every trial.
        parameters: declared ones.
    """

    def __init__(self, optuna: Any, study: Any, parameters: Sequence[Parameter]) -> None:
        self._optuna = optuna
        self._study = study
        self._parameters = [(parameter, distribution(optuna, parameter)) for parameter in parameters]
        self._trials: list[Any] = study._storage.get_all_trials(study._study_id, deepcopy=False)

    def point(self, sampler: Any) -> tuple[dict[str, Value], Mapping[str, Any]]:
        """What a sampler proposes.

        Returns:
            The point, and what the sampler wants to be kept with its trial, such as the generation: system attributes.
        """
        asking, notepad = copy.copy(self._study), _Notepad(self._study._storage, self._trials)
        asking._storage = notepad
        sketch = self._optuna.trial.create_trial(state=self._optuna.trial.TrialState.RUNNING)  # number and id are -1
        together = sampler.sample_relative(asking, sketch, sampler.infer_relative_search_space(asking, sketch))
        point: dict[str, Value] = {}
        for parameter, known in self._parameters:
            if not is_active(parameter, point):
                continue
            name = parameter.name
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

    def __init__(self, storage: Any, trials: list[Any]) -> None:
        self._storage = storage
        self._trials = trials
        self.notes: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(self, _study_id: int, deepcopy: bool = True, states: Any = None) -> list[Any]:
        """Those of the moment."""
        found = [trial for trial in self._trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def set_trial_system_attr(self, _trial_id: int, key: str, value: Any) -> None:
        """Note it."""
        self.notes[key] = value


def _declared(parameter: Parameter, value: Any) -> Value:
    """The value as it was declared: of Python's own type, and True is not 1."""
    if isinstance(parameter, Choice):
        return next(each for each in parameter.values if type(each) is type(value) and each == value)
    return int(value) if isinstance(parameter, Integer) else float(value)
