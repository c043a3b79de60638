"""What a function of a space is called with: it suggests values as Optuna's Trial does, and knows the data."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

from edgekit.core.questions import ask

Value = bool | int | float | str
"""As `edgekit.core.search.space.Value`."""


class SpaceTrial(ABC):
    """A trial for functions that build a net: `suggest_*` have Optuna's names and meaning.

    Args:
        shapes: of one sample, one an input, without the batch.
        classes: of the labels; 0 where there are none.

    Attributes:
        params: what was suggested so far, by name.
    """

    def __init__(self, shapes: Sequence[Sequence[int]], classes: int) -> None:
        self.input_shapes = tuple(map(tuple, shapes))
        self.classes = classes
        self.params: dict[str, Value] = {}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the only input, without the batch.

        Raises:
            ValueError: samples have several inputs.
        """
        if len(self.input_shapes) != 1:
            raise ValueError(f"the data has {len(self.input_shapes)} inputs a sample, this space takes one")
        return self.input_shapes[0]

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Any:
        """One of the choices: booleans, numbers or texts."""
        for choice in choices:
            if not isinstance(choice, bool | int | float | str):
                raise TypeError(f"{name}: a choice is a boolean, a number or a text, not {choice!r}")
        return self._suggested(name, "categorical", choices=list(choices))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number, both ends included."""
        return int(self._suggested(name, "int", low=low, high=high, step=step, log=log))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A real number, both ends included."""
        return float(self._suggested(name, "float", low=low, high=high, step=step, log=log))

    def _suggested(self, name: str, kind: str, **arguments: Any) -> Value:
        if name not in self.params:
            self.params[name] = self._suggest(name, kind, arguments)
        return self.params[name]

    @abstractmethod
    def _suggest(self, name: str, kind: str, arguments: Mapping[str, Any]) -> Value:
        """A value for a parameter that was not suggested yet."""


class AskedTrial(SpaceTrial):
    """A trial whose values the study chooses, in the parent process."""

    def _suggest(self, name: str, kind: str, arguments: Mapping[str, Any]) -> Value:
        value: Value = ask({"suggest": kind, "name": name, **arguments})
        return value


class FixedTrial(SpaceTrial):
    """A trial whose values are known: the same net is built again.

    Args:
        point: value by parameter.
    """

    def __init__(self, point: Mapping[str, Value], shapes: Sequence[Sequence[int]], classes: int) -> None:
        super().__init__(shapes, classes)
        self._point = dict(point)

    @classmethod
    def read(cls, text: str) -> Self:
        """A trial from `text`'s JSON."""
        told = json.loads(text)
        return cls(told["point"], told["shapes"], told["classes"])

    def text(self) -> str:
        """JSON that says everything, always the same for the same trial."""
        told = {"point": self._point, "shapes": self.input_shapes, "classes": self.classes}
        return json.dumps(told, sort_keys=True, separators=(",", ":"))

    def _suggest(self, name: str, _kind: str, _arguments: Mapping[str, Any]) -> Value:
        if name not in self._point:
            raise ValueError(f"the space asks for {name!r} now and did not before: it must depend on the trial alone")
        return self._point[name]
