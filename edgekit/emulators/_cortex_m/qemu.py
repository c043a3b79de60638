"""Boards on qemu-system-arm: the image as it is, over semihosting."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from device_agents.mcu.protocol import Hello
from device_agents.mcu.session import QEMU, BoardError, BoardTimeoutError, Session
from edgekit.core.elf import read_elf
from edgekit.core.errors import DeadlineError, DeviceError
from edgekit.core.firmware import BoardRun
from edgekit.emulators._cortex_m.counting import counting, read_counts
from edgekit.emulators._cortex_m.profile import by_function, by_kind, layer_names, named_layers
from edgekit.emulators._cortex_m.samples import check_image, joined, parted

_VERSION = re.compile(r"version (\S+)")


@functools.cache
def version() -> str | None:
    """QEMU's version, None when it is not there."""
    program = shutil.which(QEMU)
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    found = _VERSION.search(said)
    return found[1] if found else "unknown"


def run_on_qemu(image: Path, machine: str, inputs: Sequence[Sequence[bytes]], *, timeout_s: float) -> BoardRun:
    """Run samples, the first one counted and its stack measured.

    Raises:
        DeviceError, DeadlineError: the board fails, or takes too long.
        InputError: a sample that is not what the model takes.
        VerificationError: the board has another image in its flash.
    """
    elf = read_elf(image)
    with counting(elf) as (options, out):
        with _session(image, machine, options, timeout_s) as (board, hello):
            check_image(elf, hello)
            profile, first = board.profile(joined(inputs[0], hello))
            rest = [board.infer(joined(sample, hello)) for sample in inputs[1:]]
            board.finish()
        counted = read_counts(out)
    return BoardRun(
        outputs=[parted(answer, hello) for answer in (first, *rest)],
        emulator=_title(machine),
        instructions=counted.instructions,
        layers=named_layers(counted.parts, layer_names(elf)),
        functions=by_function(elf, counted.blocks),
        mix=by_kind(elf, counted.blocks),
        blocks=counted.blocks,
        stack_bytes=profile.stack_bytes,
    )


def infer_on_qemu(image: Path, machine: str, inputs: Sequence[Sequence[bytes]], *, timeout_s: float) -> BoardRun:
    """The outputs of samples, nothing measured.

    Raises:
        As `run_on_qemu`.
    """
    with _session(image, machine, (), timeout_s) as (board, hello):
        check_image(read_elf(image), hello)
        outputs = [parted(board.infer(joined(sample, hello)), hello) for sample in inputs]
    return BoardRun(outputs=outputs, emulator=_title(machine))


@contextmanager
def _session(image: Path, machine: str, options: Sequence[str], timeout_s: float) -> Iterator[tuple[Session, Hello]]:
    try:
        with Session(image, machine, options=options, timeout_s=timeout_s) as board:
            yield board, board.hello()
    except BoardTimeoutError as cause:
        raise DeadlineError(f"{image.name} on {machine}: {cause}", hint="a longer --timeout") from cause
    except BoardError as cause:
        raise DeviceError(f"{image.name} on {machine}: {cause}") from cause


def _title(machine: str) -> str:
    return f"{QEMU} {version()} {machine}"
