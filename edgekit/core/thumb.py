"""Thumb code, as far as counting and classifying instructions goes.

Source: Armv8-M Architecture Reference Manual (DDI 0553), chapter C2, T32 encodings; Armv7-M (DDI 0403), A5 and A6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import StrEnum


class Kind(StrEnum):
    """What an instruction costs by.

    `NEXT_LOAD` is a load right after a load; `REGISTERS` are those that the instructions of the kind `MULTIPLE` move.
    """

    LOAD = "load"
    NEXT_LOAD = "next_load"
    STORE = "store"
    MULTIPLE = "multiple"
    REGISTERS = "registers"
    BRANCH = "branch"
    JUMP = "jump"
    MULTIPLY = "multiply"
    LONG_MULTIPLY = "long_multiply"
    DIVIDE = "divide"
    COPROCESSOR = "coprocessor"
    OTHER = "other"


def instructions(code: bytes) -> Iterator[int]:
    """The instructions of a run of code; one of 32 bits has its first halfword in its upper half."""
    halves = struct.unpack(f"<{len(code) // 2}H", code)
    at = 0
    while at < len(halves):
        first = halves[at]
        if first >> 11 in (0b11101, 0b11110, 0b11111) and at + 1 < len(halves):
            yield first << 16 | halves[at + 1]
            at += 2
        else:
            yield first
            at += 1


def instruction_count(code: bytes) -> int:
    """How many instructions a run of code has."""
    return sum(1 for _ in instructions(code))


def kind_of(instruction: int) -> tuple[Kind, int]:
    """The kind of an instruction, and how many registers it moves to or from memory, where that is its cost.

    Conditional branches, also CBZ, are `BRANCH`; those that are always taken, `JUMP`. `COPROCESSOR` is floating point
    or Helium. The loop instructions of Armv8.1-M are `OTHER`: with a loop buffer they take no time of their own.
    """
    return _narrow(instruction) if instruction < 1 << 16 else _wide(instruction >> 16, instruction & 0xFFFF)


def _narrow(code: int) -> tuple[Kind, int]:
    if code & 0xFE00 in (0xB400, 0xBC00):  # PUSH, POP
        return Kind.MULTIPLE, (code & 0x1FF).bit_count()
    if code >> 12 == 0xC:  # STM, LDM
        return Kind.MULTIPLE, (code & 0xFF).bit_count()
    if code >> 11 == 0b01001:  # LDR, literal
        return Kind.LOAD, 0
    if code >> 12 == 0x5:  # register offsets: STR, STRH, STRB, then loads
        return (Kind.STORE if (code >> 9) & 7 < 3 else Kind.LOAD), 0
    if 0x6 <= code >> 12 <= 0x9:
        return (Kind.LOAD if code & 0x800 else Kind.STORE), 0
    if code & 0xF500 == 0xB100 or (code >> 12 == 0xD and code & 0xE00 != 0xE00):  # CBZ, CBNZ; B<c>
        return Kind.BRANCH, 0
    if code >> 11 == 0b11100 or code & 0xFF00 == 0x4700:  # B; BX, BLX
        return Kind.JUMP, 0
    return (Kind.MULTIPLY if code & 0xFFC0 == 0x4340 else Kind.OTHER), 0


def _wide(first: int, second: int) -> tuple[Kind, int]:
    group = first >> 8
    if group in (0xE8, 0xE9):
        return _multiple(first, second)
    if first >> 11 == 0b11110 and second & 0x8000:
        return _branch(first, second), 0
    if group in (0xF8, 0xF9):
        return (Kind.LOAD if first & 0x10 else Kind.STORE), 0
    if group == 0xFB:
        return _multiply(first), 0
    return (Kind.COPROCESSOR if group & 0xEC == 0xEC else Kind.OTHER), 0


def _multiple(first: int, second: int) -> tuple[Kind, int]:
    if first & 0x40 == 0:  # LDM, STM
        return Kind.MULTIPLE, (second & 0xDFFF).bit_count()
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:  # TBB, TBH
        return Kind.JUMP, 0
    return Kind.MULTIPLE, 2  # LDRD, STRD, and the exclusive ones, which our code has none of


def _branch(first: int, second: int) -> Kind:
    form = second & 0x5000
    if form == 0 and first & 0x0380 != 0x0380:
        return Kind.BRANCH
    if form in (0x1000, 0x5000):  # B.W, BL
        return Kind.JUMP
    return Kind.OTHER  # barriers, MSR; LE, WLS, DLS


def _multiply(first: int) -> Kind:
    operation = (first >> 4) & 0xF
    if operation < 0x8:
        return Kind.MULTIPLY
    return Kind.DIVIDE if operation in (0x9, 0xB) else Kind.LONG_MULTIPLY
