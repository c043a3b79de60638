"""Microcontroller boards, emulated: an image's outputs, its exact instruction counts, its stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core.errors import UnsupportedError
from edgekit.core.firmware import BoardRun
from edgekit.core.target import Board
from edgekit.emulators._cortex_m import qemu, unicorn_board
from edgekit.emulators._cortex_m.counting import host_compiler
from edgekit.emulators._types import Missing

_TIMEOUT_S = 60.0
_QEMU_REMEDY = "sudo apt-get install --no-install-recommends qemu-system-arm"


class BoardEmulator:
    """qemu-system-arm with our instruction counter, or else Unicorn; they count alike."""

    summary = "a microcontroller: outputs and instruction counts are exact, time is not emulated"

    def version(self) -> str:
        """What plays a board here, with its version."""
        found = qemu.version()
        return "Unicorn" if found is None else f"qemu-system-arm {found}"

    def missing(self) -> list[Missing]:
        """What this machine lacks to emulate every board."""
        lacks = []
        if qemu.version() is None:
            lacks.append(Missing(what="qemu-system-arm", remedy=_QEMU_REMEDY))
        elif host_compiler() is None and not unicorn_board.is_there():
            lacks.append(Missing(what="a C compiler or unicorn", remedy="pip install 'edgekit-deploy[mcu]'"))
        return lacks


def run_image(
    image: Path, board: Board, inputs: Sequence[Sequence[bytes]], *, profile: bool = True, timeout_s: float = _TIMEOUT_S
) -> BoardRun:
    """Run samples on the emulated board, after it has proved that it has this image in its flash.

    Args:
        image: as `edgekit.mcu.link.build_image` writes it.
        board: what it was linked for.
        inputs: one or more samples; of each the bytes of each input.
        profile: count the first sample's instructions and measure its stack.
        timeout_s: limit of each sample.

    Raises:
        UnsupportedError: nothing here emulates the board, or counts.
        InputError: a sample is not what the model takes.
        VerificationError: the board has another image.
        DeviceError, DeadlineError: it died, or was too slow.
    """
    if board.machine is None:
        raise UnsupportedError(f"no emulator plays {board.title}", hint="boards with a machine: edgekit targets")
    if qemu.version() is not None and not (profile and host_compiler() is None):
        if profile:
            return qemu.run_on_qemu(image, board.machine, inputs, timeout_s=timeout_s)
        return qemu.infer_on_qemu(image, board.machine, inputs, timeout_s=timeout_s)
    if not unicorn_board.is_there():
        raise UnsupportedError("no emulator for microcontrollers here", hint=_QEMU_REMEDY)
    return unicorn_board.run_on_unicorn(image, board.machine, board.core, inputs, counts=profile, timeout_s=timeout_s)


def infer_many(
    image: Path, board: Board, inputs: Sequence[Sequence[bytes]], *, timeout_s: float = _TIMEOUT_S
) -> list[list[bytes]]:
    """The outputs alone, for whole test sets: no counter slows it down.

    Raises:
        As `run_image`.
    """
    return run_image(image, board, inputs, profile=False, timeout_s=timeout_s).outputs


EMULATOR = BoardEmulator()
