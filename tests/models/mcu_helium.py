"""The generated C, built for a Cortex-M55 and run on an emulated one: many models in one image."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgekit.mcu.emit import Library
from edgekit.mcu.toolchain import Toolchain
from tests.models.boards import board
from tests.models.mcu_oracle import WARNINGS, Answers, Question, call_stream, case_row, merged_source, parse_answers

_MAIN = Path(__file__).with_name("mcu_helium_main.c")
_AGENT = Path(__file__).parents[2] / "device_agents" / "mcu"
_QEMU = ("qemu-system-arm", "-M", "mps3-an547", "-display", "none", "-monitor", "none", "-serial", "none")
_SEMIHOSTING = ("-semihosting-config", "enable=on,target=native")
_FREESTANDING = ("-std=gnu99", "-ffreestanding", "-nostdlib", "-Wl,-e,Reset_Handler")
_SCRIPT = """
MEMORY { BOOT : ORIGIN = 0, LENGTH = 512K  DDR : ORIGIN = 0x60000000, LENGTH = 64M }
SECTIONS {
  .vectors : { KEEP(*(.vectors)) *startup*(.text .text.*) } > BOOT
  .text : { *(.text .text.* .rodata .rodata.*) . = ALIGN(4); } > DDR
  .data : { __data_begin = .; *(.data .data.*) . = ALIGN(4); __data_end = .; } > DDR
  .bss (NOLOAD) : { __bss_begin = .; *(.bss .bss.* COMMON) . = ALIGN(4); __bss_end = .; } > DDR
  .stack (NOLOAD) : { . = . + 64K; . = ALIGN(8); __stack_top = .; } > DDR
  __data_load = LOADADDR(.data);
  /DISCARD/ : { *(.ARM.exidx* .ARM.extab* .eh_frame* .comment .note*) }
}
"""
_FAULTS = {74: "a model writes outside of its arena", 75: "an arena is too large for the test", 70: "the core faulted"}


def ask_helium(
    questions: Sequence[Question], libraries: Sequence[Library], folder: Path, *, compiler: Toolchain
) -> Answers:
    """Outputs of an emulated Cortex-M55; `libraries` are the questions' models, each under its own name.

    Raises:
        RuntimeError: the compiler complains, the core faults, or a model writes outside of its arena.
    """
    elf = _build(libraries, folder, compiler, compiler.flags(board("cortex_m55"), "speed"))
    (folder / "requests").write_bytes(b"".join(call_stream(place, one) for place, one in enumerate(questions)))
    (folder / "answers").write_bytes(b"")
    ran = subprocess.run(
        [*_QEMU, *_SEMIHOSTING, "-kernel", elf], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=300
    )
    if ran.returncode:
        why = _FAULTS.get(ran.returncode, ran.stderr.decode(errors="replace")[-1000:])
        raise RuntimeError(f"the emulated board stopped with {ran.returncode}: {why}")
    return parse_answers(questions, (folder / "answers").read_bytes())


def _build(libraries: Sequence[Library], folder: Path, compiler: Toolchain, flags: Sequence[str]) -> Path:
    main = _MAIN.read_text(encoding="utf-8").replace("/* cases */", "".join(map(case_row, libraries)))
    source, script, elf = merged_source(libraries, folder), folder / "board.ld", folder / "cases.elf"
    with source.open("a", encoding="utf-8") as end:
        end.write(main)
    script.write_text(_SCRIPT, encoding="utf-8")
    own = folder / "cases.o"
    _run([*compiler.command, *flags, *WARNINGS, "-ffreestanding", "-g0", f"-I{_AGENT}", "-c", source, "-o", own])
    agent = [_AGENT / f"{name}.c" for name in ("startup", "semihosting", "memory")]
    library = "-lgcc" if compiler.name == "gcc" else "-lcompiler_rt"
    _run([*compiler.command, *flags, *_FREESTANDING, "-T", script, own, *agent, library, "-o", elf])
    return elf


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"the compiler refuses the generated C: {done.stderr[:4000]}")
