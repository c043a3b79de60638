"""A stand-in without any library: a JSON file says what it computes, and how it goes wrong.

    {"inputs": [{"name", "shape", "dtype"}], "outputs": [...], "scale": 2.0, "load": "ok", "run": "ok"}

Everything may be missing. An output holds `scale` times the first input's values, repeated or cut to its size. `load`
and `run` say what happens there: "ok", "crash" (a signal), "hang", "eat" (memory without end), "error" (an exception),
and for `run` also "nan", and "shape" (an output that is one element short).
"""

from __future__ import annotations

import array
import ctypes
import itertools
import json
import platform
import signal
from typing import TYPE_CHECKING, Any

from device_agents.linux import tensors
from device_agents.linux.runners import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FORMATS = ("fake",)
_DEFAULT = {"name": "x", "shape": [1, 4], "dtype": "float32"}
_TYPECODES = {"float32": "f", "float64": "d", "int8": "b", "uint8": "B", "int16": "h", "int32": "i", "int64": "q"}


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"python": platform.python_version()}


def prepare() -> None:
    """Nothing to import."""


def probe() -> None:
    """Always ready."""


def load(path: str, options: dict[str, Any]) -> Session:
    """Read the JSON file.

    Raises:
        RunnerError: E_UNSUPPORTED for a file that is no JSON object, or a delegate.
    """
    if options["delegate"] is not None:
        raise RunnerError("E_UNSUPPORTED", "the fake runtime has no delegate {!r}".format(options["delegate"]))
    try:
        with open(path, encoding="utf-8") as file:
            model = dict(json.load(file))
    except (ValueError, TypeError) as cause:
        raise RunnerError("E_UNSUPPORTED", f"not a model of the fake runtime: {cause}") from cause
    _go_wrong(model.get("load", "ok"))
    return Session(model)


class Session:
    """A loaded model."""

    def __init__(self, model: dict[str, Any]) -> None:
        self.inputs = model.get("inputs", [_DEFAULT])
        self.outputs = model.get("outputs", [dict(_DEFAULT, name="y")])
        self._scale = float(model.get("scale", 1.0))
        self._behaviour = model.get("run", "ok")

    def samples(self, _index: int, data: memoryview, count: int) -> Iterable[memoryview]:
        """One slice of the data for each sample."""
        size = len(data) // count
        return (data[start : start + size] for start in range(0, count * size, size))

    def run(self, values: tuple[memoryview, ...]) -> list[array.array[Any]]:
        """Scale the first input into every output."""
        _go_wrong(self._behaviour)
        source = array.array(_TYPECODES[self.inputs[0]["dtype"]], bytes(values[0]))
        scale = float("nan") if self._behaviour == "nan" else self._scale
        return [self._output(spec, source, scale) for spec in self.outputs]

    def _output(self, spec: dict[str, Any], source: array.array[Any], scale: float) -> array.array[Any]:
        count = tensors.elements(spec["shape"]) - (self._behaviour == "shape")
        number: Callable[[float], float] = float if spec["dtype"].startswith("float") else int
        scaled = (number(value * scale) for value in itertools.islice(itertools.cycle(source), count))
        return array.array(_TYPECODES[spec["dtype"]], scaled)


def _go_wrong(behaviour: str) -> None:
    if behaviour == "crash":
        ctypes.string_at(0)
    elif behaviour == "hang":
        signal.pause()
    elif behaviour == "eat":
        hoard = []
        while True:
            hoard.append(bytearray(64 * 1024 * 1024))
    elif behaviour == "error":
        raise ValueError("the fake model was told to fail")
