"""Compiled microcontroller images: an emulated board runs each inference, frame by frame."""

from __future__ import annotations

import re
import shutil
import subprocess
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from device_agents.linux.runners import RunnerError
from device_agents.linux.tensors import ITEM_BYTES
from device_agents.mcu import session as board
from device_agents.mcu import trailer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMATS = ("elf",)
RUNS_PROGRAMS = True

_MACHINE = re.compile(r"[a-z0-9-]{1,32}")


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
    return {board.QEMU: found.group(1) if found else "unknown"}


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
        machine, digest = facts["machine"], str(facts["sha256"])
        sides = [[Tensor(item["name"], item["shape"], item["dtype"]) for item in facts[side]] for side in _SIDES]
    except (trailer.TrailerError, KeyError, TypeError) as cause:
        raise RunnerError("E_UNSUPPORTED", f"not an image that can be emulated: {cause}") from cause
    if not isinstance(machine, str) or not _MACHINE.fullmatch(machine):
        raise RunnerError("E_UNSUPPORTED", f"no emulator plays the board {machine!r}")
    return Session(path, machine, digest, sides[0], sides[1])


_SIDES = ("inputs", "outputs")


class Session:
    """A board that runs; it ends with this object, or with this process."""

    def __init__(self, path: str, machine: str, digest: str, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.inputs = [tensor._asdict() for tensor in inputs]
        self.outputs = [tensor._asdict() for tensor in outputs]
        self._input_bytes = tuple(tensor.size_bytes for tensor in inputs)
        self._output_bytes = tuple(tensor.size_bytes for tensor in outputs)
        self._board = board.Session(path, machine, qemu=_program())
        weakref.finalize(self, self._board.close)
        hello = self._board.hello()
        if hello.image_sha256 != digest:
            raise RuntimeError(f"the board has image {hello.image_sha256[:12]} in its flash, not {digest[:12]}")
        if (hello.input_bytes, hello.output_bytes) != (self._input_bytes, self._output_bytes):
            raise RunnerError("E_UNSUPPORTED", "the image and what it says of its signature differ")

    def samples(self, index: int, data: memoryview, count: int) -> Iterable[Any]:
        """The bytes of each sample."""
        size = self._input_bytes[index]
        return [data[place * size : (place + 1) * size] for place in range(count)]

    def run(self, values: tuple[Any, ...]) -> Sequence[Any]:
        """One inference on the board."""
        answer = self._board.infer(b"".join(values))
        outputs, begin = [], 0
        for size in self._output_bytes:
            outputs.append(answer[begin : begin + size])
            begin += size
        return outputs


def _program() -> str:
    found = shutil.which(board.QEMU)
    if found is None:
        raise ImportError(f"{board.QEMU} is not installed: sudo apt-get install qemu-system-arm")
    return found
