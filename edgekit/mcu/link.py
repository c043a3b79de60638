"""From a generated library to an image: linked with startup and harness for a board's memory, or why it is too big."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

from edgekit.core.digest import sha256_bytes
from edgekit.core.elf import Elf, read_elf
from edgekit.core.errors import InternalError, UnsupportedError
from edgekit.core.firmware import MACHINES, Image, ModelSize
from edgekit.core.target import Board, MemoryRegion
from edgekit.mcu.emit import Library
from edgekit.mcu.toolchain import Toolchain, find_toolchain

STACK_BYTES = 2048
"""RAM that an image keeps for its stack; compiled models were seen to use up to 700 bytes, the harness some 300."""

_ALL = MemoryRegion(base=0, size_bytes=1 << 28)
_HARNESS = ("startup.c", "memory.c", "harness.c", "frame.c", "sha256.c")
_FLASH = (".vectors", ".text", ".rodata", ".data")
_RAM = (".stack", ".data", ".bss")
_SPOKEN = {
    ".vectors": "vectors", ".text": "code", ".rodata": "weights and tables", ".data": "variables with a value",
    ".stack": "stack", ".bss": "arena and variables",
}  # fmt: skip


def build_image(
    library: Library,
    board: Board,
    output: Path,
    *,
    target: str,
    optimize: str = "speed",
    toolchain: str = "auto",
    uart: bool = False,
) -> Image:
    """Compile a library and link it with startup and harness.

    The image lies at the addresses of the machine that plays the board, with the board's own sizes as limits; without
    such a machine, at the board's addresses.

    Args:
        library: the generated C.
        board: what it is for.
        output: the ELF file to write.
        target: the board's name in messages.
        optimize: "speed", "ram" or "flash".
        toolchain: "gcc", "zig" or "auto".
        uart: frames go over the machine's UART instead of semihosting.

    Raises:
        UnsupportedError: no compiler, a machine without a UART that we drive, or an image larger than the board; the
            message says what needs how much.
        InternalError: the compiler or the linker refuses what we generated.
    """
    tools = find_toolchain(toolchain)
    flags = tools.flags(board, optimize)
    with tempfile.TemporaryDirectory(prefix="edgekit-link-") as name:
        folder = Path(name)
        for file, text in library.files.items():
            (folder / file).write_text(text, encoding="utf-8")
        library_object = folder / "library.o"
        tools.compile(folder / f"{library.name}.c", library_object, flags)
        return link_image(
            [library_object],
            folder,
            board,
            output,
            name=library.name,
            arena_bytes=library.schedule.plan.size_bytes,
            tools=tools,
            flags=flags,
            target=target,
            uart=uart,
        )


def link_image(
    objects: Sequence[Path],
    folder: Path,
    board: Board,
    output: Path,
    *,
    name: str,
    arena_bytes: int,
    tools: Toolchain,
    flags: tuple[str, ...],
    target: str,
    uart: bool = False,
) -> Image:
    """Link a compiled model with startup and harness.

    Args:
        objects: the model, compiled.
        folder: has the model's `edgekit_binding.h`; what is needed on the way is written there.
        board: as for `build_image`, like `output`, `target` and `uart`.
        output: the ELF file to write.
        name: prefix of the functions `<name>_invoke` and `<name>_reset`.
        arena_bytes: the model's working memory, inputs and outputs in it.
        tools: what it was compiled with.
        flags: and how.
        target: the board's name in messages.
        uart: frames go over the machine's UART instead of semihosting.

    Raises:
        UnsupportedError, InternalError: as `build_image`.
    """
    _copy_harness(folder)
    linker = _Linker(tools, folder, flags, target)
    sources, defines = _transport(board, uart=uart, target=target)
    linked = linker.fitted([*objects, *(folder / source for source in (*_HARNESS, *sources))], board, defines)
    size = linker.alone(objects, name, arena_bytes)
    shutil.copyfile(linked, output)
    elf = read_elf(output)
    return Image(
        path=output,
        board=board,
        flash_bytes=elf.size_of(*_FLASH),
        ram_bytes=elf.size_of(*_RAM),
        stack_reserve_bytes=STACK_BYTES,
        size=size,
        toolchain=tools.title,
        flags=flags,
        sha256=sha256_bytes(flash_content(elf)),
    )


def flash_content(elf: Elf) -> bytes:
    """The bytes that a board has in flash; what it hashes when it is asked who it is."""
    return elf.content(elf.address_of("__flash_begin"), elf.address_of("__flash_end"))


def _copy_harness(folder: Path) -> None:
    for file in resources.files("device_agents").joinpath("mcu").iterdir():
        if file.name.endswith((".c", ".h", ".in")):
            (folder / file.name).write_bytes(file.read_bytes())


def _transport(board: Board, *, uart: bool, target: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Source files and definitions of what carries the frames."""
    if not uart:
        return ("semihosting.c",), ()
    address = MACHINES[board.machine].uart if board.machine else None
    if address is None:
        raise UnsupportedError(f"edgekit drives no UART of {target}", hint="leave uart out: semihosting works")
    return ("uart_cmsdk.c",), (f"-DEDGEKIT_UART_BASE={address:#x}U",)


class _Linker:
    """Links in one folder."""

    def __init__(self, tools: Toolchain, folder: Path, flags: tuple[str, ...], target: str) -> None:
        self._tools, self._folder, self._flags, self._target = tools, folder, flags, target

    def fitted(self, inputs: list[Path], board: Board, defines: tuple[str, ...]) -> Path:
        """The program within the board's limits.

        Raises:
            UnsupportedError: it is too big.
        """
        flash, ram = _places(board)
        linked = self._folder / "image.elf"
        refusal = self._link(inputs, flash, ram, linked, defines)
        if refusal is None:
            return linked
        unlimited = replace(flash, size_bytes=_ALL.size_bytes), replace(ram, size_bytes=_ALL.size_bytes)
        if (other := self._link(inputs, *unlimited, linked, defines)) is not None:
            raise InternalError(other, hint="report this with the model")
        elf = read_elf(linked)
        for region, what in ((board.flash, "chip"), (flash, "emulated machine")):
            self._check(elf, "flash", _FLASH, region.size_bytes, what)
        for region, what in ((board.ram, "chip"), (ram, "emulated machine")):
            self._check(elf, "RAM", _RAM, region.size_bytes, what)
        raise InternalError(refusal, hint="report this with the model")  # it fits, and yet the linker refused

    def alone(self, objects: Sequence[Path], name: str, arena_bytes: int) -> ModelSize:
        """What the model needs of flash and RAM, with the compiler's own functions that it calls."""
        linked = self._folder / "alone.elf"
        ram = replace(_ALL, base=0x2000_0000)
        inputs = [*objects, self._folder / "memory.c"]
        refusal = self._link(inputs, _ALL, ram, linked, (f"-Wl,-u,{name}_reset",), entry=f"{name}_invoke")
        if refusal is not None:
            raise InternalError(refusal, hint="report this with the model")
        elf = read_elf(linked)
        return ModelSize(
            code_bytes=elf.size_of(".text"),
            constant_bytes=elf.size_of(".rodata", ".data"),
            arena_bytes=arena_bytes,
            static_ram_bytes=elf.size_of(".data", ".bss"),
        )

    def _link(
        self,
        inputs: list[Path],
        flash: MemoryRegion,
        ram: MemoryRegion,
        output: Path,
        more: tuple[str, ...],
        *,
        entry: str = "Reset_Handler",
    ) -> str | None:
        words = {
            "FLASH_ORIGIN": flash.base, "FLASH_BYTES": flash.size_bytes,
            "RAM_ORIGIN": ram.base, "RAM_BYTES": ram.size_bytes, "STACK_BYTES": STACK_BYTES,
        }  # fmt: skip
        script = self._folder / f"{output.stem}.ld"
        script.write_text(_filled((self._folder / "board.ld.in").read_text(encoding="utf-8"), words), encoding="utf-8")
        return self._tools.link(inputs, script, output, (*self._flags, *more), entry=entry)

    def _check(self, elf: Elf, memory: str, sections: tuple[str, ...], has: int, what: str) -> None:
        needs = elf.size_of(*sections)
        if needs <= has:
            return
        by_section = {_SPOKEN[name]: elf.size_of(name) for name in sections if elf.size_of(name)}
        parts = ", ".join(f"{name} {size:,}" for name, size in sorted(by_section.items(), key=lambda item: -item[1]))
        raise UnsupportedError(
            f"the model does not fit {self._target}: {memory} needs {needs:,} bytes ({parts}), the {what} has {has:,}",
            hint="a smaller model, --optimize ram or flash, or a larger board: edgekit inspect MODEL",
            memory=memory,
            need_bytes=needs,
            have_bytes=has,
            sections=by_section,
        )


def _filled(template: str, words: Mapping[str, int]) -> str:
    for word, value in words.items():
        template = template.replace(f"@{word}@", hex(value))
    return template


def _places(board: Board) -> tuple[MemoryRegion, MemoryRegion]:
    """Where flash and RAM lie, and no more of them than both the board and the machine that plays it have."""
    if board.machine is None:
        return board.flash, board.ram
    machine = MACHINES[board.machine]
    return _smaller(machine.flash, board.flash), _smaller(machine.ram, board.ram)


def _smaller(machine: MemoryRegion, board: MemoryRegion) -> MemoryRegion:
    return replace(machine, size_bytes=min(machine.size_bytes, board.size_bytes))
