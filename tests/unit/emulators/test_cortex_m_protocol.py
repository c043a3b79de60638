"""Frames: what is garbled is refused, by the host and by the board, over pipes and over a UART."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_agents.mcu import protocol
from device_agents.mcu.protocol import HELLO, INFER, RESET, Frame, FrameError
from device_agents.mcu.session import QEMU, Session
from edgekit.core.firmware import Image
from tests.models.boards import board, dense_model, image_for, need_board_tools

_FRAME = protocol.encode(Frame(7, INFER, b"payload"))


def test_frame_comes_back_as_it_went():
    assert protocol.decode(b"--" + _FRAME + b"rest", 2) == (Frame(7, INFER, b"payload"), 2 + len(_FRAME))


@pytest.mark.parametrize("place", range(len(_FRAME)))
def test_frame_with_one_wrong_bit_is_refused(place: int):
    garbled = bytearray(_FRAME)
    garbled[place] ^= 0x10

    with pytest.raises(FrameError):
        protocol.decode(bytes(garbled))


@pytest.mark.parametrize("length", [0, 15, len(_FRAME) - 1])
def test_frame_that_is_cut_off_is_refused(length: int):
    with pytest.raises(FrameError):
        protocol.decode(_FRAME[:length])


@pytest.mark.parametrize(
    "payload", [b"", b"\1" * 47, b"\1\0\0\0" * 4 + b"\0" * 32, b"\1\0\0\0" * 2 + b"\xff" * 8 + b"\0" * 32]
)
def test_hello_that_contradicts_itself_is_refused(payload: bytes):
    with pytest.raises(FrameError, match="a hello of"):
        protocol.read_hello(payload)


@pytest.fixture(scope="module", params=["semihosting", "uart"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Image, bool]:
    need_board_tools("gcc")
    uart = request.param == "uart"
    return image_for(dense_model(), board(), tmp_path_factory.mktemp("image") / "image.elf", uart=uart), uart


class Wire:
    """A board whose bytes the test writes and reads itself."""

    def __init__(self, image: Image, *, uart: bool, folder: Path) -> None:
        command = [
            QEMU,
            "-M",
            str(image.board.machine),
            "-display",
            "none",
            "-monitor",
            "none",
            "-kernel",
            str(image.path),
        ]
        if uart:
            self._process = subprocess.Popen(
                [*command, "-serial", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
            return
        for name in ("requests", "answers"):
            os.mkfifo(folder / name)
        semihosting = ["-serial", "none", "-semihosting-config", "enable=on,target=native"]
        self._process = subprocess.Popen([*command, *semihosting], cwd=folder)
        # For both directions: the board opens each one only when it first reads or writes.
        self._in, self._out = (os.open(folder / name, os.O_RDWR) for name in ("requests", "answers"))

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._in, data) :]

    def answer(self) -> Frame:
        header = self._take(protocol.HEADER_BYTES)
        return protocol.decode(header + self._take(protocol.payload_bytes(header)))[0]

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = os.read(self._out, count - len(data))
            assert more, "the board is gone"
            data += more
        return data

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is None:
            os.close(self._in)
            os.close(self._out)
            return
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def wire(image: tuple[Image, bool], tmp_path: Path) -> Iterator[Wire]:
    made = Wire(image[0], uart=image[1], folder=tmp_path)
    yield made
    made.close()


@pytest.mark.boards
@pytest.mark.timeout(60)
def test_board_answers_after_noise_and_refuses_what_is_garbled(wire: Wire, image: tuple[Image, bool]):
    garbled = bytearray(protocol.encode(Frame(3, INFER, bytes(32))))
    garbled[-1] ^= 1
    said = [
        b"noise" + protocol.encode(Frame(1, HELLO)),
        protocol.encode(Frame(2, INFER, bytes(31))),
        b"\0" * 8 + bytes(garbled),
        protocol.encode(Frame(4, 99)),
        protocol.encode(Frame(5, RESET)),
        protocol.encode(Frame(6, INFER, bytes(32))),
    ]

    answers = []
    for request in said:
        wire.send(request)
        answers.append(wire.answer())

    assert [(frame.sequence, protocol.STATUSES[frame.status]) for frame in answers] == [
        (1, "ok"), (2, "bad length"), (3, "bad checksum"), (4, "bad verb"), (5, "ok"), (6, "ok"),
    ]  # fmt: skip
    hello = protocol.read_hello(answers[0].payload)
    assert hello.image_sha256 == image[0].sha256
    assert (hello.input_bytes, hello.output_bytes) == ((32,), (4,))
    assert len(answers[5].payload) == 4


@pytest.mark.boards
def test_session_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    need_board_tools("gcc")
    path = image_for(dense_model(), board(), tmp_path / "image.elf").path
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    with Session(path, "mps2-an386") as session:
        session.hello()
        assert list(folder.iterdir()) == []
        process = session._process

    assert process is not None
    assert process.returncode is not None
