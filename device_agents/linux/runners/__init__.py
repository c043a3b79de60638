"""One inference runtime per file; the file's name is the runtime's name.

A runner defines `FORMATS` (a tuple of names), `versions()`, `prepare()` (imports what it needs), `probe()` (constructs
an interpreter and runs it, or raises), `load(path, options)` that gives a `Session`, and may define `DELEGATES`. It
imports its runtime inside functions only. Runners are the files of this folder and, for tests and third parties, those
of the folder that the device's environment names in EDGEKIT_RUNNERS.

One that can time a model's operators defines `operators(path, options, names, samples)`. One that keeps intermediate
tensors sets `KEEPS_TENSORS`: it appends those that `options["tensors"]` names to the outputs, and its session says in
`kernels` which kernels it took for that. One whose models are programs, with files in their reach, sets
`RUNS_PROGRAMS`: a confined agent starts none.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class RunnerError(Exception):
    """A model or an option that a runtime does not take; carries the protocol's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Session(Protocol):
    """A loaded model.

    Attributes:
        inputs: `{name, shape, dtype}` of each input, with the batch axis if the model has one.
        outputs: the same of each output.

    One whose values are NumPy arrays may have `quantization`: {"inputs", "outputs"}, each a list of (scale, zero point)
    with None for a tensor that is not quantized. One whose runtime tells what its planner took may have `arena_bytes`.
    """

    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]

    def samples(self, index: int, data: memoryview, count: int) -> Iterable[Any]:
        """The `count` samples of a raw data set for input `index`, each as the kind of value that `run` takes."""

    def run(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """One inference: a value for each input; returns, for each output, a buffer of its own."""


def names() -> list[str]:
    """All runners, sorted."""
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    folder = os.environ.get("EDGEKIT_RUNNERS")
    if folder and os.path.isdir(folder):
        found |= {name[: -len(".py")] for name in os.listdir(folder) if name.endswith(".py")}
    return sorted(name for name in found if not name.startswith("_"))


def load_module(name: str) -> Any:
    """Import a runner.

    Raises:
        RunnerError: E_UNSUPPORTED when there is none of that name.
    """
    if name not in names():
        raise RunnerError("E_UNSUPPORTED", "there is no runtime {!r}; there are {}".format(name, ", ".join(names())))
    path = os.path.join(os.environ.get("EDGEKIT_RUNNERS") or os.devnull, name + ".py")
    if not os.path.isfile(path):
        return importlib.import_module(f"{__name__}.{name}")
    spec = importlib.util.spec_from_file_location("edgekit_runner_" + name, path)
    if spec is None or spec.loader is None:
        raise RunnerError("E_UNSUPPORTED", f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
