"""TensorFlow Lite for Microcontrollers: .tflite models with its reference kernels, the oracle of compiled boards."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

from device_agents.linux import tensors
from device_agents.linux.runners import RunnerError, litert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FORMATS = ("tflite",)

_MOST_TENSORS = 64
"""Where the search for the last input or output ends: the interpreter does not tell how many there are."""


def versions() -> dict[str, str]:
    """Versions of tflite-micro and NumPy."""
    return {name: metadata.version(name) for name in ("tflite-micro", "numpy")}


def prepare() -> None:
    """Import the interpreter and NumPy."""
    _library()


def probe() -> None:
    """Construct an interpreter and run it.

    Raises:
        RuntimeError: it computes something else.
    """
    import numpy as np

    interpreter = _library().Interpreter.from_bytes(litert.PROBE_MODEL, arena_size=16 * 1024)
    interpreter.set_input(np.arange(4, dtype=np.float32).reshape(1, 4), 0)
    interpreter.invoke()
    y = interpreter.get_output(0)
    if y.tolist() != [[0.0, 2.0, 4.0, 6.0]]:
        raise RuntimeError(f"x + x gives {y.tolist()}")


def load(path: str, options: dict[str, Any]) -> Session:
    """Load a model; the kernels are the reference ones whatever the options say.

    Raises:
        RunnerError: E_UNSUPPORTED for a model, or a delegate, that this interpreter does not take.
    """
    if options["delegate"] is not None:
        raise RunnerError("E_UNSUPPORTED", f"no delegate {options['delegate']!r} here")
    with open(path, "rb") as file:
        model = file.read()
    if model[4:8] != b"TFL3":  # the interpreter would not look
        raise RunnerError("E_UNSUPPORTED", "the file is not a .tflite model")
    try:
        return Session(_library().Interpreter.from_bytes(model, arena_size=10 * len(model) + 1024 * 1024))
    except (ValueError, RuntimeError, TypeError) as cause:
        raise RunnerError("E_UNSUPPORTED", f"the runtime refuses the model: {cause}") from cause


class Session:
    """A loaded model with its tensors allocated."""

    def __init__(self, interpreter: Any) -> None:
        self.inputs = _specs("input", interpreter.get_input_details)
        self.outputs = _specs("output", interpreter.get_output_details)
        self._interpreter = interpreter

    def samples(self, index: int, data: memoryview, count: int) -> Iterable[Any]:
        """Arrays of the input's own shape; no copy."""
        spec = self.inputs[index]
        samples: Iterable[Any] = tensors.array(data, [count, *spec["shape"]], spec["dtype"])
        return samples

    def run(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """One inference."""
        for place, value in enumerate(values):
            self._interpreter.set_input(value, place)
        self._interpreter.invoke()
        return [self._interpreter.get_output(place).copy() for place in range(len(self.outputs))]


def _specs(kind: str, details: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place in range(_MOST_TENSORS):
        try:
            detail = details(place)
        except (IndexError, ValueError, RuntimeError):
            break
        shape = [int(extent) for extent in detail["shape"]]
        found.append({"name": f"{kind} {place}", "shape": shape, "dtype": detail["dtype"].__name__.rstrip("_")})
    return found


def _library() -> Any:
    return importlib.import_module("tflite_micro").runtime
