"""Images for microcontrollers as values: the machines that emulate them, what a linker made, what a run found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.core.target import Board, MemoryRegion
from edgekit.core.thumb import Kind


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine of qemu-system-arm; a board's image is linked for its addresses.

    Attributes:
        cpu: the core that it has, as QEMU names it.
        flash, ram: where code and data go, with all that it has there.
        uart: address of its first UART of Arm's CMSDK design; None where it has another kind.
    """

    cpu: str
    flash: MemoryRegion
    ram: MemoryRegion
    uart: int | None


def _machine(cpu: str, flash: tuple[int, int], ram: tuple[int, int], uart: int | None) -> Machine:
    (flash_base, flash_kib), (ram_base, ram_kib) = flash, ram
    return Machine(
        cpu=cpu,
        flash=MemoryRegion(base=flash_base, size_bytes=flash_kib * 1024),
        ram=MemoryRegion(base=ram_base, size_bytes=ram_kib * 1024),
        uart=uart,
    )


MACHINES: Mapping[str, Machine] = {
    "mps2-an385": _machine("cortex-m3", (0, 4096), (0x2000_0000, 4096), 0x4000_4000),
    "mps2-an386": _machine("cortex-m4", (0, 4096), (0x2000_0000, 4096), 0x4000_4000),
    "mps2-an500": _machine("cortex-m7", (0, 4096), (0x2000_0000, 4096), 0x4000_4000),
    "mps2-an505": _machine("cortex-m33", (0x1000_0000, 4096), (0x3800_0000, 4096), 0x5020_0000),
    "mps3-an547": _machine("cortex-m55", (0, 512), (0x2000_0000, 512), 0x5930_3000),
    "netduinoplus2": _machine("cortex-m4", (0x0800_0000, 1024), (0x2000_0000, 128), None),
}
"""QEMU's hw/arm/mps2.c, mps2-tz.c (secure aliases; code and data in the tightly coupled memories of the AN547) and
netduinoplus2.c. Only the last has the sizes of a product, so the linker script keeps a board's limits."""


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """What the model's library alone takes, without startup and harness.

    Attributes:
        code_bytes: functions, with those of the compiler's own library that they call.
        constant_bytes: weights, biases, tables and parameters, in flash.
        arena_bytes: inputs, outputs, activations, scratch and state.
        static_ram_bytes: variables outside the arena.
    """

    code_bytes: int
    constant_bytes: int
    arena_bytes: int
    static_ram_bytes: int

    @property
    def flash_bytes(self) -> int:
        """Code and constants."""
        return self.code_bytes + self.constant_bytes

    @property
    def ram_bytes(self) -> int:
        """Arena and variables; the stack is measured, not linked."""
        return self.arena_bytes + self.static_ram_bytes


@dataclass(frozen=True, kw_only=True)
class Image:
    """A linked program: a model, the harness, startup.

    Attributes:
        path: the ELF file.
        board: what it was linked for.
        flash_bytes, ram_bytes: what the whole program takes; RAM with `stack_reserve_bytes` for the stack.
        size: of the model alone.
        toolchain: name and version, e.g. "arm-none-eabi-gcc 12.2.1".
        flags: what code generation depends on.
        sha256: of its bytes in flash, 64 hex digits; a board reads its own back.
    """

    path: Path
    board: Board
    flash_bytes: int
    ram_bytes: int
    stack_reserve_bytes: int
    size: ModelSize
    toolchain: str
    flags: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Block:
    """A run of instructions that was entered `entries` times: where it begins, and how many it has."""

    address: int
    instructions: int
    entries: int


@dataclass(frozen=True, kw_only=True)
class BoardRun:
    """What an emulated board answered; counts and stack are of the first sample.

    An instruction counts when the block that it is in is entered, so those whose condition does not hold count too.

    Attributes:
        outputs: for each sample, the bytes of each output.
        instructions: from the entry of `<model>_invoke` to its return; None where nothing counted them.
        layers: name and instructions, in the order of their first run; what runs between two layers counts for the
            one before.
        functions: by name, most first.
        mix: instructions by kind, and the registers that multiple loads and stores move.
        blocks: the profile that these are sums of.
        stack_bytes: peak of the stack in the invoke, by painting; None where it was not measured.
        emulator: what played the board, e.g. "qemu-system-arm 7.2.22 mps2-an386".
    """

    outputs: list[list[bytes]]
    emulator: str
    instructions: int | None = None
    layers: tuple[tuple[str, int], ...] = ()
    functions: Mapping[str, int] = field(default_factory=dict)
    mix: Mapping[Kind, int] = field(default_factory=dict)
    blocks: tuple[Block, ...] = field(default=(), repr=False)
    stack_bytes: int | None = None
