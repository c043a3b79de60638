"""Compiled microcontroller images: an emulated board runs each inference, frame by frame."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import tempfile
import time
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from device_agents.linux.runners import RunnerError
from device_agents.linux.tensors import ITEM_BYTES
from device_agents.mcu import protocol, trailer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMATS = ("elf",)

_PROGRAM = "qemu-system-arm"
_MACHINE = re.compile(r"[a-z0-9-]{1,32}")
_ANSWER_S = 60.0
"""Of one inference: a model of a billion instructions takes two seconds."""


class Tensor(NamedTuple):
    """One input or output."""

    name: str
    shape: list[int]
    dtype: str

    @property
    def size_bytes(self) -> int:
        """Bytes of one sample."""
        size = ITEM_BYTES[self.dtype]
        for extent in self.shape:
            size *= extent
        return size


def versions() -> dict[str, str]:
    """Version of the emulator."""
    text = subprocess.run([_program(), "--version"], check=True, capture_output=True, text=True, timeout=20).stdout
    found = re.search(r"version (\S+)", text)
    return {_PROGRAM: found.group(1) if found else "unknown"}


def prepare() -> None:
    """Look for the emulator."""
    _program()


def probe() -> None:
    """Start the emulator as far as its list of machines."""
    subprocess.run([_program(), "-machine", "help"], check=True, capture_output=True, timeout=20)


def load(path: str, options: dict[str, Any]) -> Session:
    """Start the emulated board with an image.

    Raises:
        RunnerError: E_UNSUPPORTED for a file that is no image, or a delegate.
    """
    if options["delegate"] is not None:
        raise RunnerError("E_UNSUPPORTED", f"no delegate {options['delegate']!r} here")
    with open(path, "rb") as file:
        image = file.read()
    try:
        facts = trailer.read(image)
        machine = facts["machine"]
        sides = [[Tensor(item["name"], item["shape"], item["dtype"]) for item in facts[side]] for side in _SIDES]
    except (trailer.TrailerError, KeyError, TypeError) as cause:
        raise RunnerError("E_UNSUPPORTED", f"not an image that can be emulated: {cause}") from cause
    if not isinstance(machine, str) or not _MACHINE.fullmatch(machine):
        raise RunnerError("E_UNSUPPORTED", f"no emulator plays the board {machine!r}")
    return Session(image, machine, sides[0], sides[1])


_SIDES = ("inputs", "outputs")


class Session:
    """A board that runs; it ends with this process."""

    def __init__(self, image: bytes, machine: str, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.inputs = [tensor._asdict() for tensor in inputs]
        self.outputs = [tensor._asdict() for tensor in outputs]
        self._input_bytes = [tensor.size_bytes for tensor in inputs]
        self._output_bytes = [tensor.size_bytes for tensor in outputs]
        self._sequence = 0
        self._board = _Board(image, machine)
        hello = protocol.read_hello(self._ask(protocol.HELLO))
        if hello.protocol != protocol.PROTOCOL:
            raise RunnerError("E_UNSUPPORTED", f"the image speaks protocol {hello.protocol}")
        if (hello.input_bytes, hello.output_bytes) != (tuple(self._input_bytes), tuple(self._output_bytes)):
            raise RunnerError("E_UNSUPPORTED", "the image and what it says of its signature differ")

    def samples(self, index: int, data: memoryview, count: int) -> Iterable[Any]:
        """The bytes of each sample."""
        size = self._input_bytes[index]
        return [data[place * size : (place + 1) * size] for place in range(count)]

    def run(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """One inference on the board."""
        answer = self._ask(protocol.INFER, b"".join(values))
        outputs, begin = [], 0
        for size in self._output_bytes:
            outputs.append(answer[begin : begin + size])
            begin += size
        return outputs

    def _ask(self, verb: int, payload: bytes = b"") -> bytes:
        self._sequence = (self._sequence + 1) % protocol.SEQUENCES
        request = protocol.Frame(self._sequence, verb, payload)
        self._board.write(protocol.encode(request))
        answer, _ = protocol.decode(self._board.frame())
        if (answer.sequence, answer.verb, answer.status) != (request.sequence, verb, 0):
            said = protocol.STATUSES.get(answer.status, str(answer.status))
            raise RuntimeError(f"the board answers verb {verb} with {said}")
        return answer.payload


class _Board:
    """The emulator, with two pipes that the image opens as files by semihosting."""

    def __init__(self, image: bytes, machine: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="edgekit-board-")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        pipes = [os.path.join(self._folder, name) for name in ("requests", "answers")]
        for pipe in pipes:
            os.mkfifo(pipe, 0o600)
        path = os.path.join(self._folder, "image.elf")
        with open(path, "wb") as file:
            file.write(image)
        self._process = subprocess.Popen(
            [
                _program(), "-machine", machine, "-nographic", "-monitor", "none", "-serial", "none", "-no-reboot",
                "-semihosting-config", "enable=on,target=native", "-kernel", path,
            ],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        weakref.finalize(self, _end, self._process)
        # Opened for both directions: neither end waits for the other, and the board sees no end of file.
        self._requests, self._answers = (os.open(pipe, os.O_RDWR | os.O_CLOEXEC) for pipe in pipes)

    def write(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        deadline = time.monotonic() + _ANSWER_S
        while rest:
            self._wait(self._requests, select.POLLOUT, deadline)
            rest = rest[os.write(self._requests, rest[: select.PIPE_BUF]) :]

    def frame(self) -> bytes:
        """The next frame's bytes."""
        deadline = time.monotonic() + _ANSWER_S
        head = self._read(protocol.HEADER_BYTES, deadline)
        return head + self._read(protocol.payload_bytes(head), deadline)

    def _read(self, count: int, deadline: float) -> bytes:
        found = bytearray()
        while len(found) < count:
            self._wait(self._answers, select.POLLIN, deadline)
            found += os.read(self._answers, count - len(found))
        return bytes(found)

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        poller = select.poll()
        poller.register(descriptor, event)
        while not poller.poll(100):
            if (status := self._process.poll()) is not None:
                raise RuntimeError(f"the emulated board ended with status {status}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the emulated board did not answer within {_ANSWER_S:g} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _program() -> str:
    found = shutil.which(_PROGRAM)
    if found is None:
        raise ImportError(f"{_PROGRAM} is not installed: sudo apt-get install qemu-system-arm")
    return found
