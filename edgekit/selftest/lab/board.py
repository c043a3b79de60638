"""An emulated microcontroller board with a tiny program, and its wire: bytes in, bytes out, nothing in between."""

from __future__ import annotations

import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from device_agents.mcu import protocol, trailer
from device_agents.mcu.protocol import Frame
from device_agents.mcu.session import QEMU
from edgekit.config.targets import list_targets, load_target
from edgekit.core.target import Board
from edgekit.emulators.cortex_m import EMULATOR
from edgekit.mcu.link import link_image
from edgekit.mcu.toolchain import REMEDY, find_toolchain, toolchains

INPUT_BYTES, OUTPUT_BYTES = 32, 4
_CORE = "cortex-m4"
_ANSWER_S = 10.0
_CHUNK_BYTES = 1 << 16
_FILES = {
    "model.h": "#include <stdint.h>\nvoid model_reset(void *arena);\nvoid model_invoke(void *arena);\n",
    "edgekit_binding.h": (
        '#include "model.h"\n#define EDGEKIT_ARENA_BYTES 48\n'
        "#define EDGEKIT_RESET model_reset\n#define EDGEKIT_INVOKE model_invoke\n"
        f"#define EDGEKIT_INPUTS {{{{0, {INPUT_BYTES}}}}}\n#define EDGEKIT_INPUT_COUNT 1\n"
        f"#define EDGEKIT_OUTPUTS {{{{{INPUT_BYTES}, {OUTPUT_BYTES}}}}}\n#define EDGEKIT_OUTPUT_COUNT 1\n"
    ),
    "model.c": (
        '#include "model.h"\n'
        f"static const uint8_t WEIGHTS[{INPUT_BYTES}] = {{{', '.join(str(7 * i + 1) for i in range(INPUT_BYTES))}}};\n"
        "void model_reset(void *arena) { (void)arena; }\n"
        "void model_invoke(void *arena) {\n"
        f"  const uint8_t *in = arena;\n  uint8_t *out = (uint8_t *)arena + {INPUT_BYTES};\n"
        f"  for (unsigned i = 0; i < {OUTPUT_BYTES}; ++i) {{\n    out[i] = 0;\n"
        f"    for (unsigned j = i; j < {INPUT_BYTES}; ++j) {{\n      out[i] = (uint8_t)(out[i] + in[j] * WEIGHTS[j]);\n"
        "    }\n  }\n}\n"
    ),
}
"""Four weighted sums of 32 bytes: every byte of the input, of the weights and of the code counts."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A linked image.

    Attributes:
        path: the file, as the agent's runner takes it.
        machine: as qemu-system-arm calls it.
        flash_sha256: of what a board has in its flash then.
    """

    path: Path
    machine: str
    flash_sha256: str


def lacking() -> tuple[str, ...]:
    """What this computer lacks to build programs and to play boards; empty if nothing."""
    lacks = [f"{item.what} ({item.remedy})" for item in EMULATOR.missing()]
    return (*lacks, *(() if toolchains() else (f"a compiler for Cortex-M ({REMEDY})",)))


def answer_of(inputs: bytes) -> bytes:
    """What the program answers."""
    products = [value * (7 * place + 1) for place, value in enumerate(inputs)]
    return bytes(sum(products[place:]) % 256 for place in range(OUTPUT_BYTES))


def build_program(folder: Path) -> Program:
    """Compile and link the program for an emulated Cortex-M4."""
    board = _board()
    for name, text in _FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    tools = find_toolchain()
    flags = tools.flags(board, "speed")
    tools.compile(folder / "model.c", folder / "model.o", flags)
    image = link_image(
        [folder / "model.o"], folder, board, folder / "program.elf",
        name="model", arena_bytes=48, tools=tools, flags=flags, target="the selftest's board",
    )  # fmt: skip
    told = {
        "machine": board.machine,
        "sha256": image.sha256,
        "inputs": [{"name": "x", "shape": [1, INPUT_BYTES], "dtype": "uint8"}],
        "outputs": [{"name": "y", "shape": [1, OUTPUT_BYTES], "dtype": "uint8"}],
    }
    image.path.write_bytes(trailer.append(image.path.read_bytes(), told))
    return Program(path=image.path, machine=str(board.machine), flash_sha256=image.sha256)


def _board() -> Board:
    boards = (load_target(name).board for name in list_targets())
    return next(board for board in boards if board is not None and board.core == _CORE and board.machine is not None)


class BoardWire:
    """A board that is on, as a context manager; what is sent may be anything.

    Args:
        program: what it runs.
        folder: of this wire alone, removed by its owner.
    """

    def __init__(self, program: Program, folder: Path) -> None:
        folder.mkdir()
        for name in ("requests", "answers"):
            os.mkfifo(folder / name, 0o600)
        command = [QEMU, "-M", program.machine, "-display", "none", "-monitor", "none", "-serial", "none"]
        command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(program.path)]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)
        # For both directions: the board opens each one only when it first reads or writes.
        self._in, self._out = (os.open(folder / name, os.O_RDWR | os.O_CLOEXEC) for name in ("requests", "answers"))
        self._came = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def send(self, data: bytes) -> None:
        """Put bytes on the wire, 64 KiB at most before the board takes some."""
        while data:
            data = data[os.write(self._in, data) :]

    def answers(self, last: int) -> list[Frame]:
        """The board's answers up to the one with this sequence number; without it if the board falls silent before."""
        found: list[Frame] = []
        while not found or found[-1].sequence != last:
            frame = self._next()
            if frame is None:
                break
            found.append(frame)
        return found

    def _next(self) -> Frame | None:
        while self._is_cut_off():
            if not select.select([self._out], [], [], _ANSWER_S)[0]:
                return None
            self._came += os.read(self._out, _CHUNK_BYTES)
        frame, end = protocol.decode(self._came)
        self._came = self._came[end:]
        return frame

    def _is_cut_off(self) -> bool:
        header = protocol.HEADER_BYTES
        return len(self._came) < header or len(self._came) < header + protocol.payload_bytes(self._came)
