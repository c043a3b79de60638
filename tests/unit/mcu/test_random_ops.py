"""The property of the microcontroller compiler: random models answer as tflite-micro does, bit for bit.

Generators live in `random_<family>.py` beside this file: `GENERATORS` maps a name to a function of a NumPy generator.
"""

from __future__ import annotations

import importlib
import shutil
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgekit.mcu.layer import Core
from tests.models.mcu_models import Drawn
from tests.models.mcu_oracle import SANITIZERS, Question, ask_library, ask_tflm, differences, draw_calls

pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing: apt-get install gcc")

Draw = Callable[[np.random.Generator], Drawn | bytes]
_CALLS = 3
_IN_CI = {
    "ram": (500, ("-O0",)),
    "flash": (200, ("-O1", "-D__ARM_ARCH_6M__")),
    "speed": (50, ("-O1",)),
}
"""Setting to cases and flags; "speed" compiles a copy of the kernel for each case, "flash" the C of small cores."""
_FULL_BLOCKS, _FULL_BLOCK = 20, 1_100


@cache
def generators() -> Mapping[str, Draw]:
    """All registered generators by name."""
    found: dict[str, Draw] = {}
    for path in sorted(Path(__file__).parent.glob("random_*.py")):
        found |= importlib.import_module(f"tests.unit.mcu.{path.stem}").GENERATORS
    return found


def draw(name: str, seed: int) -> Question:
    """The case of a generator and a seed."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    made = generators()[name](rng)
    drawn = made if isinstance(made, Drawn) else Drawn(model=made)
    calls = draw_calls(drawn.model, rng, _CALLS) if drawn.calls is None else drawn.calls
    return Question(name=f"{name} {seed}", model=drawn.model, calls=calls)


def _questions(count: int, first_seed: int) -> list[Question]:
    names = list(generators())
    return [draw(names[i % len(names)], first_seed + i // len(names)) for i in range(count)]


@pytest.mark.parametrize("optimize", _IN_CI)
def test_random_models_answer_as_tflite_micro(tmp_path: Path, optimize: str) -> None:
    count, flags = _IN_CI[optimize]
    questions = _questions(count, zlib.crc32(optimize.encode()))

    expected = ask_tflm(questions, tmp_path)
    answered = ask_library(questions, tmp_path, core=Core(name="host", optimize=optimize), flags=(*flags, *SANITIZERS))

    assert differences(questions, answered, expected) == []


@pytest.mark.full
@pytest.mark.parametrize("block", range(_FULL_BLOCKS))
def test_many_random_models_answer_as_tflite_micro(tmp_path: Path, block: int) -> None:
    questions = _questions(_FULL_BLOCK, 10_000_000 + 1_000_000 * block)

    expected = ask_tflm(questions, tmp_path)
    flags = (("-O0", "-O1")[block % 2], *SANITIZERS)
    answered = ask_library(questions, tmp_path, core=Core(name="host", optimize="ram"), flags=flags)

    assert differences(questions, answered, expected) == []
