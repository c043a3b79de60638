"""The rounding profile litert_ref against LiteRT's own reference kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.mcu.layer import LITERT_REF, Core
from tests.models.mcu_oracle import Question, ask_library, compile_model, differences, draw_calls
from tests.unit.mcu.random_fully_connected import fully_connected

_MODELS = 40
_CALLS = 8


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    rng = np.random.default_rng(11)
    models = [fully_connected(rng) for _ in range(_MODELS)]
    return [Question(name=f"model {i}", model=m, calls=draw_calls(m, rng, _CALLS)) for i, m in enumerate(models)]


def reference(questions: list[Question]) -> list[list[list[Any]]]:
    interpreter_module = pytest.importorskip("ai_edge_litert.interpreter", reason="pip install ai-edge-litert")
    answers: list[list[list[Any]]] = []
    for question in questions:
        interpreter = interpreter_module.Interpreter(
            model_content=question.model,
            experimental_op_resolver_type=interpreter_module.OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        places = [detail["index"] for detail in interpreter.get_input_details()]
        results = [detail["index"] for detail in interpreter.get_output_details()]
        answers.append([])
        for call in question.calls:
            for place, value in zip(places, call, strict=True):
                interpreter.set_tensor(place, value)
            interpreter.invoke()
            answers[-1].append([interpreter.get_tensor(place) for place in results])
    return answers


def test_profile_is_exact_and_the_other_one_is_not(questions: list[Question], tmp_path: Path) -> None:
    expected = reference(questions)

    own, tflm = (
        differences(questions, ask_library(questions, _folder(tmp_path, profile), core=_core(profile)), expected)
        for profile in (LITERT_REF, "tflm")
    )

    assert own == []
    assert tflm  # or nothing was shown


def _core(profile: str) -> Core:
    return Core(name="host", optimize="flash", profile=profile)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def test_int16_is_refused() -> None:
    model = fully_connected(np.random.default_rng(3), dtype="int16")

    with pytest.raises(UnsupportedError, match="litert_ref"):
        compile_model(model, _core(LITERT_REF))
