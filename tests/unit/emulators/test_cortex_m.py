"""Emulated boards: outputs, exact counts that repeat, the image read back, and boards that die or hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from device_agents.mcu.session import BoardError, Session
from edgekit.core.errors import DeadlineError, DeviceError, InputError, UnsupportedError, VerificationError
from edgekit.core.firmware import BoardRun, Image
from edgekit.core.target import Board
from edgekit.core.thumb import Kind
from edgekit.emulators._cortex_m import counting, qemu, unicorn_board
from edgekit.emulators._cortex_m import samples as checks
from edgekit.emulators.cortex_m import EMULATOR, infer_many, run_image
from edgekit.mcu.link import build_image
from tests.models.boards import board, dense_model, image_for, library_for, need_board_tools, samples

pytestmark = pytest.mark.boards

_INPUTS = samples((32,), 3)
_BODY = "void model_invoke(void *arena) {\n"


@pytest.fixture(autouse=True)
def _tools() -> None:
    need_board_tools("gcc")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    need_board_tools("gcc")
    return image_for(dense_model(), board(), tmp_path_factory.mktemp("image") / "image.elf")


@pytest.fixture(scope="module")
def counted(image: Image) -> BoardRun:
    return run_image(image.path, image.board, _INPUTS)


@pytest.fixture
def invoking(tmp_path: Path) -> Callable[..., Path]:
    """An image whose invoke begins with the statements that are given."""

    def build(statements: str, for_board: Board | None = None) -> Path:
        library = library_for(dense_model(), for_board or board())
        source = library.files["model.c"]
        assert _BODY in source
        files = {**library.files, "model.c": source.replace(_BODY, f"{_BODY}{statements}\n")}
        output = tmp_path / "invoking.elf"
        build_image(replace(library, files=files), for_board or board(), output, target="a board")
        return output

    return build


def test_counts_repeat_exactly(image: Image, counted: BoardRun):
    again = [run_image(image.path, image.board, _INPUTS[:1]) for _ in range(2)]

    assert [run.instructions for run in again] == [counted.instructions] * 2
    assert [(run.layers, run.blocks, run.stack_bytes) for run in again] == [
        (counted.layers, counted.blocks, counted.stack_bytes)
    ] * 2


_ABANDONED = """
import os, signal, sys
from device_agents.mcu.session import Session

board = Session(sys.argv[1], sys.argv[2])
board.hello()
assert len(board.infer(bytes(32))) == 4
os.killpg(0, signal.SIGKILL)
"""


def test_board_whose_process_is_killed_leaves_no_folder(image: Image, tmp_path: Path):
    command = [sys.executable, "-c", _ABANDONED, str(image.path), str(image.board.machine)]

    ended = subprocess.run(
        command, env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True, timeout=60, check=False
    )

    assert ended.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_profile_adds_up(counted: BoardRun):
    assert [name for name, _ in counted.layers] == ["ek_layer_0", "ek_layer_1"]
    assert sum(count for _, count in counted.layers) == counted.instructions
    assert sum(counted.functions.values()) == counted.instructions
    assert sum(count for kind, count in counted.mix.items() if kind is not Kind.REGISTERS) == counted.instructions
    assert sum(block.instructions * block.entries for block in counted.blocks) == counted.instructions


def test_count_is_of_the_invoke_alone(invoking: Callable[..., Path], counted: BoardRun):
    longer = invoking('  __asm__ volatile("nop\\n nop\\n nop\\n nop\\n nop");')

    run = run_image(longer, board(), _INPUTS)

    assert run.instructions == (counted.instructions or 0) + 5
    assert run.outputs == counted.outputs


def test_stack_is_what_the_invoke_uses(invoking: Callable[..., Path], counted: BoardRun):
    deeper = invoking("  volatile uint8_t used[512];\n  used[0] = 1;\n  used[511] = used[0];")

    run = run_image(deeper, board(), _INPUTS)

    assert counted.stack_bytes is not None
    assert run.stack_bytes is not None
    assert 512 <= run.stack_bytes - counted.stack_bytes <= 512 + 32


def test_outputs_without_a_profile_are_the_same(image: Image, counted: BoardRun):
    assert infer_many(image.path, image.board, _INPUTS) == counted.outputs


@pytest.mark.parametrize("target", ["cortex_m0plus", "cortex_m4", "cortex_m33"])
def test_unicorn_counts_as_qemu_does(tmp_path: Path, target: str):
    pytest.importorskip("unicorn", reason="pip install 'edgekit-deploy[mcu]'")
    for_board = board(target)
    path = image_for(dense_model(), for_board, tmp_path / "image.elf").path

    ours = run_image(path, for_board, _INPUTS)
    other = unicorn_board.run_on_unicorn(
        path, str(for_board.machine), for_board.core, _INPUTS, counts=True, timeout_s=60.0
    )

    assert replace(other, emulator=ours.emulator, blocks=ours.blocks) == ours  # QEMU cuts long blocks elsewhere


def test_unicorn_takes_over_where_there_is_no_qemu(monkeypatch, image: Image, counted: BoardRun):
    pytest.importorskip("unicorn", reason="pip install 'edgekit-deploy[mcu]'")
    monkeypatch.setattr(qemu, "version", lambda: None)

    run = run_image(image.path, image.board, _INPUTS)

    assert run.emulator.startswith("unicorn 2.")
    assert (run.outputs, run.instructions) == (counted.outputs, counted.instructions)
    assert [item.what for item in EMULATOR.missing()] == ["qemu-system-arm"]


def test_board_without_any_emulator_is_refused_with_the_remedy(monkeypatch, image: Image):
    monkeypatch.setattr(qemu, "version", lambda: None)
    monkeypatch.setattr(unicorn_board, "is_there", lambda: False)

    with pytest.raises(UnsupportedError) as caught:
        run_image(image.path, image.board, _INPUTS)

    assert "apt-get install" in str(caught.value.hint)


def test_board_that_nothing_plays_is_refused(image: Image):
    with pytest.raises(UnsupportedError, match="no emulator plays"):
        run_image(image.path, replace(image.board, machine=None), _INPUTS)


@pytest.mark.parametrize("target", ["cortex_m4", "cortex_m7", "cortex_m33", "cortex_m55"])
def test_floating_point_is_switched_on(invoking: Callable[..., Path], target: str):
    for_board = board(target)
    path = invoking(
        "  volatile float x = 1.5F;\n  x *= 3.0F;\n  if ((int32_t)(x * 2.0F) != 9) {\n    for (;;) {\n    }\n  }",
        for_board,
    )

    assert len(run_image(path, for_board, _INPUTS, timeout_s=20.0).outputs) == 3
    if unicorn_board.plays(for_board.core) and unicorn_board.is_there():
        run = unicorn_board.run_on_unicorn(
            path, str(for_board.machine), for_board.core, _INPUTS, counts=False, timeout_s=20.0
        )
        assert len(run.outputs) == 3


def test_image_for_a_machine_with_a_products_memory_runs(tmp_path: Path, counted: BoardRun):
    other = replace(board(), machine="netduinoplus2")
    path = image_for(dense_model(), other, tmp_path / "image.elf").path

    run = run_image(path, other, _INPUTS)

    assert (run.outputs, run.instructions) == (counted.outputs, counted.instructions)


def test_board_with_another_image_is_refused(monkeypatch, image: Image):
    monkeypatch.setattr(checks, "sha256_bytes", lambda _data: "0" * 64)

    with pytest.raises(VerificationError, match="not 000000000000"):
        run_image(image.path, image.board, _INPUTS)


@pytest.mark.parametrize("sample", [[b"\0" * 31], [b"\0" * 32, b"\0"], []])
def test_sample_of_another_size_is_refused(image: Image, sample: list[bytes]):
    with pytest.raises(InputError, match=r"takes \[32\]"):
        run_image(image.path, image.board, [sample])


def test_board_that_faults_is_told_of(invoking: Callable[..., Path]):
    path = invoking('  *(volatile uint32_t *)0xf0000000U = 1U;\n  __asm__ volatile("udf #0");')

    with pytest.raises(DeviceError, match="exit status 70"):
        run_image(path, board(), _INPUTS)


@pytest.mark.parametrize("profile", [True, False])
def test_board_that_hangs_is_switched_off_in_time(invoking: Callable[..., Path], profile: bool):
    path = invoking('  for (;;) {\n    __asm__ volatile("");\n  }')

    with pytest.raises(DeadlineError, match=r"within 0\.5 s"):
        run_image(path, board(), _INPUTS, profile=profile, timeout_s=0.5)


def test_stack_that_overflows_faults(invoking: Callable[..., Path]):
    path = invoking("  volatile uint8_t used[8192];\n  used[0] = 1;\n  used[8191] = used[0];")

    with pytest.raises(DeviceError):
        run_image(path, board(), _INPUTS, timeout_s=20.0)


def test_file_that_is_not_there_is_told_of(tmp_path: Path):
    with pytest.raises(BoardError, match="No such file"):
        Session(tmp_path / "image.elf", "mps2-an386")


def test_file_that_is_no_program_is_told_of(tmp_path: Path):
    path = tmp_path / "image.elf"
    path.write_bytes(b"no program")

    with Session(path, "mps2-an386", timeout_s=5.0) as session, pytest.raises(BoardError):
        session.hello()


def test_counting_needs_a_compiler_or_unicorn(monkeypatch, image: Image):
    monkeypatch.setattr("edgekit.emulators.cortex_m.host_compiler", lambda: None)
    monkeypatch.setattr(unicorn_board, "is_there", lambda: False)

    with pytest.raises(UnsupportedError):
        run_image(image.path, image.board, _INPUTS)
    assert [item.what for item in EMULATOR.missing()] == ["a C compiler or unicorn"]


def test_counts_that_were_not_written_are_an_error(tmp_path: Path):
    with pytest.raises(DeviceError, match="no whole inference"):
        counting.read_counts(tmp_path / "counts")
