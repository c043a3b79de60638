"""Boards that are wrong, busy, dead, deaf or fed with damaged images (catalogue 103-110), with the command's exit code.

Boards are emulated: what unplugs them, garbles their wire or hangs them is a stand-in for their emulator.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_agents.mcu import protocol, trailer
from device_agents.mcu.protocol import HELLO, Frame
from edgekit.bundle.manifest import FileEntry
from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core.digest import sha256_bytes
from tests.bad_inputs.conftest import Command, Ended
from tests.models.boards import dense_model, need_board_tools
from tests.unit.cli.conftest import make_cli

pytestmark = pytest.mark.boards

BOARD = "qemu://cortex_m4"
FACTS = '[ "$1" = --version ] && echo \'QEMU emulator version 7.2\' && exit\n[ "$1" = -machine ] && exit\n'
"""What a stand-in says before it is to play a board."""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for a Cortex-M4."""
    need_board_tools("gcc")
    made = make_cli(tmp_path_factory.mktemp("board"))
    (made.folder / "int8.tflite").write_bytes(dense_model())
    ended = made("compile", "int8.tflite", "--target", "cortex_m4", "-o", "good.edgekit")
    assert ended.returncode == 0, ended.stderr
    return made.folder / "good.edgekit"


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder in which the board keeps its releases."""
    monkeypatch.setenv("EDGEKIT_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "boards" / "cortex_m4"


@pytest.fixture
def deploy(edgekit: Command, root: Path) -> Callable[..., Ended]:
    """`deploy(bundle)`; a bundle that is refused leaves no release active."""

    def run(bundle: Path, device: str = BOARD) -> Ended:
        ended = edgekit("deploy", bundle, "--device", device, "--no-profile")
        assert (ended.code == 0) == (root / "current").exists()
        return ended

    return run


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of the boards' emulator."""

    def install(script: str) -> None:
        programs = tmp_path / "programs"
        programs.mkdir()
        program = programs / "qemu-system-arm"
        program.write_text(f"#!/bin/sh\n{FACTS}{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    return install


def with_image(bundle: Path, path: Path, image: bytes) -> Path:
    """The bundle with another image, its manifest in order."""
    opened = Bundle.open(bundle)
    manifest = opened.manifest
    files = {name: opened.read(name) for name in manifest.files} | {str(manifest.model): image}
    entries = {name: FileEntry(sha256=sha256_bytes(data), size=len(data)) for name, data in files.items()}
    write_bundle(path, replace(manifest, files=entries), files)
    return path


def parts(bundle: Path) -> tuple[bytes, dict[str, object]]:
    """The image's program, and what its end says of it."""
    opened = Bundle.open(bundle)
    image = opened.read(str(opened.manifest.model))
    facts = trailer.read(image)
    return image.removesuffix(trailer.append(b"", facts)), facts


def test_image_for_the_board_is_deployed(deploy, compiled):
    ended = deploy(compiled)

    assert ended.code == 0
    assert ended.document["deployment"]["active"] == ended.document["bundle"]["sha256"]


@pytest.mark.parametrize("named", [True, False])
def test_103_image_for_another_board_is_refused_by_its_name(edgekit, deploy, compiled, named):
    device = "qemu://cortex_m33"
    if named:
        assert edgekit("devices", "add", "desk", "qemu://anything", "--target", "cortex_m33").code == 0
        device = "desk"

    ended = deploy(compiled, device)

    assert ended.code == 14
    assert "cortex_m33" in ended.message
    assert "compiled for cortex_m4" in ended.message


def test_103_board_with_another_program_in_its_flash_is_refused(deploy, compiled, stand_in, tmp_path):
    hello = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + (1).to_bytes(4, "little") * 2
    hello += bytes(32) + (32).to_bytes(4, "little") + (4).to_bytes(4, "little")
    (tmp_path / "hello").write_bytes(protocol.encode(Frame(1, HELLO, hello)))
    stand_in(f"cat '{tmp_path / 'hello'}' > answers\nexec sleep 60")

    ended = deploy(compiled)

    assert ended.code in (4, 7)
    assert "has image 000000000000 in its flash" in ended.message


@pytest.fixture
def busy(root: Path) -> Iterator[None]:
    """Somebody else is at the board."""
    root.mkdir(parents=True, mode=0o700)
    with (root / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_104_board_that_somebody_else_uses_is_busy(edgekit, busy, compiled):
    ended = edgekit("deploy", compiled, "--device", BOARD, "--no-profile")

    assert (ended.code, "in use by another agent" in ended.message) == (9, True)


@pytest.mark.parametrize("words", ["", "printf EKK > answers"], ids=["at once", "within an answer"])
def test_105_board_that_is_unplugged_is_no_success(deploy, compiled, stand_in, words):
    stand_in(f"{words}\nexit 3")

    ended = deploy(compiled)

    assert ended.code in (4, 7)
    assert "exit status 3" in ended.message


@pytest.mark.parametrize(
    ("noise", "says"),
    [("U" * 16, "announces an answer of"), ("EK" + "\\0" * 14, "the checksum does not match")],
    ids=["a header of noise", "noise behind the magic"],
)
def test_106_noise_of_a_wrong_baud_rate_is_no_success(deploy, compiled, stand_in, noise, says):
    stand_in(f"printf '{noise}' > answers\nexit 3")

    ended = deploy(compiled)

    assert ended.code in (4, 7)
    assert says in ended.message


def test_108_image_for_another_core_is_no_success(deploy, compiled, tmp_path):
    program, facts = parts(compiled)
    other = with_image(compiled, tmp_path / "x.edgekit", trailer.append(program, {**facts, "machine": "mps2-an505"}))

    ended = deploy(other)

    assert ended.code in (4, 7)


@pytest.mark.parametrize("image", ["cut", "without an end", "of another hash"])
def test_109_image_that_does_not_prove_what_it_is_is_refused(deploy, compiled, tmp_path, image):
    program, facts = parts(compiled)
    damaged = {
        "cut": trailer.append(program[: len(program) // 2], facts),
        "without an end": program,
        "of another hash": trailer.append(program, {**facts, "sha256": "0" * 64}),
    }[image]

    ended = deploy(with_image(compiled, tmp_path / "x.edgekit", damaged))

    assert ended.code in (4, 7, 14)


def test_110_board_that_never_answers_ends_at_the_deadline_with_a_hint(edgekit, root, compiled, stand_in, tmp_path):
    stand_in("exec sleep 600")
    np.savez(edgekit.folder / "data.npz", x=np.zeros((3, 32), np.int8), y=np.arange(3))

    ended = edgekit(
        "evaluate",
        compiled,
        "--target",
        "cortex_m4",
        "--device",
        BOARD,
        "--eval-data",
        "data.npz",
        "--dtype",
        "int8",
        "--timeout",
        "1",
    )

    assert ended.code in (6, 7)
    assert ended.document["error"]["hint"]
