"""TensorFlow Lite Micro, from its wheel: the answers that are right, and the arena that its interpreter allocates.

The arena is that of a 64-bit host, where the interpreter's own records (its tail) are larger than on a
microcontroller; activations (its head) are the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._folders import ROOT

_TIMEOUT_S = 600
_ARENA = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """What the interpreter says of a model.

    Attributes:
        arena_bytes: all that it allocates.
        activation_bytes: the part for activations.
        answers: of shape (samples, ...).
    """

    arena_bytes: int
    activation_bytes: int
    answers: NDArray[Any]


def ask(model: Path, inputs: NDArray[Any]) -> Oracle:
    """Run a model with one input and one output, in a process of its own: the interpreter may end it.

    Args:
        model: a .tflite.
        inputs: of shape (samples, ...).

    Raises:
        RuntimeError: the interpreter refuses the model.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-tflm-") as name:
        given, found = Path(name) / "given.npy", Path(name) / "found.npy"
        np.save(given, inputs)
        command = [sys.executable, "-m", "benchmarks._mcu_tflm", str(model), str(given), str(found)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"tflite-micro refuses {model.name}: {done.stderr[-1000:]}")
        arena = {part: int(size) for part, size in _ARENA.findall(done.stderr)}
        return Oracle(arena_bytes=arena["total"], activation_bytes=arena["head"], answers=np.load(found))


def _child(model: str, given: str, found: str) -> None:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_file(model)
    interpreter.print_allocations()
    answers = []
    for sample in np.load(given):
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        answers.append(np.array(interpreter.get_output(0))[0])
    np.save(found, np.stack(answers))


if __name__ == "__main__":
    _child(*sys.argv[1:])
