"""Reading linked 32-bit little-endian ELF files: sections, symbols, and the bytes that go to flash.

Source: System V ABI, chapter 4, "Object Files"; "ELF for the Arm Architecture" for bit 0 of function addresses.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.core.errors import InternalError

if TYPE_CHECKING:
    from pathlib import Path

_IDENT = b"\x7fELF\x01\x01"  # 32 bits, little-endian
_HEADER = struct.Struct("<16xHHIIIIIHHHHHH")
_PROGRAM = struct.Struct("<8I")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_LOAD, _SYMTAB, _NOBITS, _ALLOCATED = 1, 2, 8, 2
_FUNCTION = 2


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section that takes memory.

    Attributes:
        loaded: its content is in the file; False for what begins as zeros or as nothing.
    """

    name: str
    address: int
    size_bytes: int
    loaded: bool


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """A named address; bit 0, which marks Thumb functions, is taken off."""

    name: str
    address: int
    size_bytes: int
    is_function: bool


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Bytes that a loader puts somewhere."""

    address: int
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Elf:
    """A linked file."""

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    segments: tuple[Segment, ...]

    def size_of(self, *names: str) -> int:
        """Bytes of the sections with these names; 0 for one that is not there."""
        return sum(section.size_bytes for section in self.sections if section.name in names)

    def address_of(self, name: str) -> int:
        """Where a symbol lies.

        Raises:
            InternalError: there is no such symbol.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol.address
        raise InternalError(f"the image has no symbol {name!r}")

    def content(self, begin: int, end: int) -> bytes:
        """What a loader puts into [begin, end), zeros where it puts nothing."""
        memory = bytearray(end - begin)
        for segment in self.segments:
            low, high = max(begin, segment.address), min(end, segment.address + len(segment.content))
            if low < high:
                memory[low - begin : high - begin] = segment.content[low - segment.address : high - segment.address]
        return bytes(memory)


def read_elf(path: Path) -> Elf:
    """Read a linked file.

    Raises:
        InternalError: it is no such file; ours is the linker that wrote it.
    """
    data = path.read_bytes()
    if not data.startswith(_IDENT):
        raise InternalError(f"{path} is not a 32-bit little-endian ELF file")
    try:
        return _read(data)
    except (struct.error, IndexError, ValueError) as cause:
        raise InternalError(f"{path} is a broken ELF file: {cause}") from cause


def _read(data: bytes) -> Elf:
    header = _HEADER.unpack_from(data)
    program_at, section_at, program_count, section_count, names = (
        header[4],
        header[5],
        header[9],
        header[11],
        header[12],
    )
    rows = [_SECTION.unpack_from(data, section_at + i * _SECTION.size) for i in range(section_count)]
    sections = tuple(
        Section(name=_text(data, rows[names][4] + row[0]), address=row[3], size_bytes=row[5], loaded=row[1] != _NOBITS)
        for row in rows
        if row[2] & _ALLOCATED
    )
    segments = []
    for i in range(program_count):
        kind, at, _, load_address, size, _, _, _ = _PROGRAM.unpack_from(data, program_at + i * _PROGRAM.size)
        if kind == _LOAD and size:
            segments.append(Segment(address=load_address, content=data[at : at + size]))
    symbols = [
        symbol
        for row in rows
        if row[1] == _SYMTAB
        for symbol in _symbols(data, at=row[4], size=row[5], strings=rows[row[6]][4])
    ]
    return Elf(sections=sections, symbols=tuple(symbols), segments=tuple(segments))


def _symbols(data: bytes, *, at: int, size: int, strings: int) -> list[Symbol]:
    found = []
    for place in range(at, at + size, _SYMBOL.size):
        name, value, length, info, _, section = _SYMBOL.unpack_from(data, place)
        text = _text(data, strings + name)
        if text and section and not text.startswith("$"):  # $t, $d: marks of the Arm ABI
            function = info & 0xF == _FUNCTION
            found.append(
                Symbol(name=text, address=value & ~1 if function else value, size_bytes=length, is_function=function)
            )
    return found


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "replace")
