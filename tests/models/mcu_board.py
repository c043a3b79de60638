"""The generated C, built for a Cortex-M4 and run on an emulated one: many models in one image."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.tflite.model import parse_model
from edgekit.mcu.emit import Library
from edgekit.mcu.read import read_network
from tests.models.mcu_oracle import WARNINGS, Answers, Question, merged_source

_CORE = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
_FREESTANDING = ("-ffreestanding", "-nostdlib", "-Wl,-e,0", "-Wl,-Ttext=0x10000", "-Wl,--section-start=.data=0x4000000")
_SPAN = 128 << 20
_STACK, _RETURN, _ARENA = 0x6000000, 0x7000000, 0x5000000
_GUARD = 64
_AROUND = bytes(range(_GUARD))
_LIBC = """
void *memcpy(void *to, const void *from, unsigned long count);
void *memcpy(void *to, const void *from, unsigned long count) {
  for (unsigned long i = 0; i < count; ++i) ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
  return to;
}
void *memset(void *to, int value, unsigned long count);
void *memset(void *to, int value, unsigned long count) {
  for (unsigned long i = 0; i < count; ++i) ((unsigned char *)to)[i] = (unsigned char)value;
  return to;
}
"""


def ask_board(questions: Sequence[Question], libraries: Sequence[Library], folder: Path) -> Answers:
    """Outputs of an emulated Cortex-M4; `libraries` are the questions' models, each under its own name.

    Raises:
        RuntimeError: gcc complains, or a model writes outside of its arena.
    """
    elf = _build(libraries, folder)
    core = _core(elf)
    symbols = _symbols(elf)
    answers = []
    for question, library in zip(questions, libraries, strict=True):
        _begin(core, symbols[f"{library.name}_reset"], library)
        address = symbols[f"{library.name}_invoke"]
        answers.append([_ask(core, address, question, library, call) for call in question.calls])
    return answers


def _build(libraries: Sequence[Library], folder: Path) -> Path:
    source, libc, elf = merged_source(libraries, folder), folder / "libc.c", folder / "cases.elf"
    libc.write_text(_LIBC, encoding="utf-8")
    command = ["arm-none-eabi-gcc", "-O2", "-fno-builtin", *_CORE, *WARNINGS, *_FREESTANDING, source, libc]
    built = subprocess.run([*command, "-lgcc", "-o", elf], capture_output=True, text=True, timeout=300)
    if built.returncode:
        raise RuntimeError(f"gcc refuses the generated C: {built.stderr[:4000]}")
    return elf


def _symbols(elf: Path) -> dict[str, int]:
    listed = subprocess.run(["arm-none-eabi-nm", elf], capture_output=True, text=True, timeout=60, check=True).stdout
    return {line.split()[2]: int(line.split()[0], 16) for line in listed.splitlines() if " T " in line}


def _core(elf: Path) -> Any:
    from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
    from unicorn.arm_const import UC_CPU_ARM_CORTEX_M4

    binary = elf.with_suffix(".bin")
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", "-j", ".rodata", elf, binary], check=True)
    core = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    core.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M4)
    core.mem_map(0, _SPAN)
    core.mem_write(0x10000, binary.read_bytes())
    return core


def _begin(core: Any, address: int, library: Library) -> None:
    """An arena of rubbish between guards, then the library's reset."""
    core.mem_write(_ARENA - _GUARD, _AROUND + b"\x5a" * library.schedule.plan.size_bytes + _AROUND)
    _call(core, address)


def _call(core: Any, address: int) -> None:
    from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_R0, UC_ARM_REG_SP

    core.reg_write(UC_ARM_REG_SP, _STACK)
    core.reg_write(UC_ARM_REG_LR, _RETURN | 1)
    core.reg_write(UC_ARM_REG_R0, _ARENA)
    core.emu_start(address | 1, _RETURN)


def _ask(core: Any, address: int, question: Question, library: Library, call: Sequence[Any]) -> list[Any]:
    network, plan = read_network(parse_model(question.model)), library.schedule
    size = plan.plan.size_bytes
    for value, given in zip(network.inputs, call, strict=True):
        core.mem_write(_ARENA + plan.offset(value), np.ascontiguousarray(given).tobytes())
    _call(core, address)
    for guard in (_ARENA - _GUARD, _ARENA + size):
        if bytes(core.mem_read(guard, _GUARD)) != _AROUND:
            raise RuntimeError(f"{question.name} writes outside of its arena of {size} bytes")
    return [
        np.frombuffer(bytes(core.mem_read(_ARENA + plan.offset(value), value.size_bytes)), value.dtype).reshape(
            value.shape
        )
        for value in network.outputs
    ]
