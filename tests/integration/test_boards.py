"""Compiled models on every emulated core: bit for bit what tflite-micro (or the same C on this computer) answers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.firmware import BoardRun
from edgekit.emulators.cortex_m import infer_many, run_image
from edgekit.mcu.cycles import estimate_cycles
from edgekit.mcu.layer import Core
from edgekit.mcu.link import STACK_BYTES
from tests.conftest import SHARED, SHARED_IS_MISSING
from tests.models.boards import CORES, board, dense_model, image_for, need_board_tools
from tests.models.mcu_oracle import Answers, Question, ask_library, ask_tflm, draw_calls

pytestmark = pytest.mark.boards

_QUICK, _ALL = 5, 100
_REAL = {
    "kws": "mlperf_tiny/kws_ref_model", "vww": "mlperf_tiny/vww_96_int8", "ic": "mlperf_tiny/pretrainedResnet_quant",
    "ad": "mlperf_tiny/ad01_int8", "hello_world": "tflm/hello_world_int8", "person_detect": "tflm/person_detect",
    "micro_speech": "tflm/micro_speech_quantized", "dtln": "tflm/dtln_noise_suppression",
    "conv_fc_mnist": "aeq/conv_fc_mnist_srq_a8w8",
}  # fmt: skip
_IN_EVERY_RUN = ("dense", "kws")


class Cases:
    """Models with inputs and the answers that they must give; each is asked for once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[str, int], tuple[Question, Answers]] = {}

    def of(self, name: str, count: int) -> tuple[Question, Answers]:
        if (name, count) not in self._known:
            model = dense_model() if name == "dense" else (SHARED / "models" / f"{_REAL[name]}.tflite").read_bytes()
            question = Question(name=name, model=model, calls=draw_calls(model, np.random.default_rng(11), count))
            folder = self._folder / f"{name}-{count}"
            folder.mkdir()
            if importlib.util.find_spec("tflite_micro") is None:
                answers = ask_library([question], folder, core=Core(name="host"), flags=("-O2",))
            else:
                answers = ask_tflm([question], folder)
            self._known[name, count] = question, answers
        return self._known[name, count]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases(tmp_path_factory.mktemp("cases"))


def check(cases: Cases, name: str, target: str, folder: Path, *, count: int, toolchain: str) -> None:
    if name in _REAL and not SHARED.is_dir():
        pytest.skip(SHARED_IS_MISSING)
    need_board_tools(toolchain)
    for_board = board(target)
    question, answers = cases.of(name, count)
    image = image_for(question.model, for_board, folder / "image.elf", toolchain=toolchain)

    found = infer_many(image.path, for_board, [[array.tobytes() for array in call] for call in question.calls])

    assert found == [[np.ascontiguousarray(array).tobytes() for array in call] for call in answers[0]]


@pytest.mark.parametrize("name", _IN_EVERY_RUN)
@pytest.mark.parametrize("target", CORES)
def test_core_answers_exactly(cases: Cases, target: str, name: str, tmp_path: Path):
    check(cases, name, target, tmp_path, count=_QUICK, toolchain="gcc")


def test_zigs_code_answers_exactly(cases: Cases, tmp_path: Path):
    check(cases, "dense", "cortex_m4", tmp_path, count=_QUICK, toolchain="zig")


@pytest.mark.full
@pytest.mark.shared_data
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("name", _REAL)
@pytest.mark.parametrize("target", CORES)
def test_core_answers_a_hundred_times_exactly(cases: Cases, target: str, name: str, toolchain: str, tmp_path: Path):
    check(cases, name, target, tmp_path, count=_ALL, toolchain=toolchain)


@pytest.fixture(scope="module")
def kws_run(cases: Cases, tmp_path_factory: pytest.TempPathFactory) -> BoardRun:
    if not SHARED.is_dir():
        pytest.skip(SHARED_IS_MISSING)
    need_board_tools("gcc")
    question, _ = cases.of("kws", _QUICK)
    path = image_for(question.model, board(), tmp_path_factory.mktemp("kws") / "image.elf").path
    return run_image(path, board(), [[array.tobytes() for array in question.calls[0]]])


def test_counts_of_a_real_model_add_up(kws_run: BoardRun):
    assert kws_run.instructions is not None
    assert kws_run.instructions == sum(count for _, count in kws_run.layers) == sum(kws_run.functions.values())
    assert 2_600_000 < kws_run.instructions < 40_000_000  # from one for each multiply-accumulate to the plain C's


def test_stack_of_a_real_model_is_within_the_reserve(kws_run: BoardRun):
    assert kws_run.stack_bytes is not None
    assert kws_run.stack_bytes + 512 < STACK_BYTES  # the harness needs some too


def test_cycles_lie_between_their_bounds(kws_run: BoardRun):
    cycles = estimate_cycles(kws_run, board())

    assert kws_run.instructions is not None
    assert kws_run.instructions <= cycles["low"] < cycles["value"] < cycles["high"] < 3 * kws_run.instructions
