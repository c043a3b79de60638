"""Every int8 model beside the project, built for this machine under sanitizers, answers as tflite-micro does."""

from __future__ import annotations

import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.mcu.layer import Core
from tests.models.mcu_oracle import SANITIZERS, Answers, Question, ask_library, ask_tflm, differences, draw_calls

pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing: apt-get install gcc"),
]

MODELS = (
    "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/vww_96_int8.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mlperf_tiny/ad01_int8.tflite",
    "tflm/person_detect.tflite",
    "tflm/micro_speech_quantized.tflite",
    "tflm/hello_world_int8.tflite",
    "tflm/dtln_noise_suppression.tflite",
    "aeq/conv_fc_mnist_srq_a8w8.tflite",
)


_RUNS = {"ram": (100, ("-O2",)), "speed": (3, ("-O1", *SANITIZERS))}
"""Setting to inputs of each model and flags of gcc; sanitized code is twenty times slower."""


@pytest.fixture(scope="module")
def questions(shared: Path) -> list[Question]:
    def ask(name: str) -> Question:
        model = (shared / "models" / name).read_bytes()
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        return Question(name=name, model=model, calls=draw_calls(model, rng, max(calls for calls, _ in _RUNS.values())))

    return [ask(name) for name in MODELS]


@pytest.fixture(scope="module")
def expected(questions: list[Question], tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return ask_tflm(questions, tmp_path_factory.mktemp("oracle"))


@pytest.mark.parametrize("optimize", _RUNS)
def test_real_models_answer_as_tflite_micro(
    questions: list[Question], expected: Answers, tmp_path: Path, optimize: str
) -> None:
    count, flags = _RUNS[optimize]
    asked = [replace(one, calls=one.calls[:count]) for one in questions]

    answered = ask_library(asked, tmp_path, core=Core(name="host", optimize=optimize), flags=flags)

    assert differences(asked, answered, [answer[:count] for answer in expected]) == []
