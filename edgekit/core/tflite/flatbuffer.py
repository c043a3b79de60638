"""FlatBuffers, read with every offset checked: a hostile file gives an error, never a crash or a huge allocation.

Format: https://flatbuffers.dev/internals/ (little-endian; tables point to vtables, fields are found through them).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from edgekit.core.errors import MalformedModelError

_SIZES = {"b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4}
_MAX_REUSE = (
    4  # bytes handed out per byte of file: writers share strings, a hostile file lets every table share one list
)
_SMALL_BYTES = 64 * 1024


@dataclass(frozen=True)
class Buffer:
    """The bytes of a file with checked reads."""

    data: bytes | memoryview
    _spent: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)

    def spend(self, size_bytes: int) -> None:
        """Account for a copy of so many bytes, so that overlapping lists cannot make a small file a huge model."""
        self._spent[0] += size_bytes
        if self._spent[0] > _MAX_REUSE * len(self.data) + _SMALL_BYTES:
            raise MalformedModelError(
                "the model is damaged: its lists overlap",
                hint="fetch or convert the model again and compare its sha256",
            )

    def read(self, kind: str, position: int) -> int | float:
        """One little-endian scalar; `kind` is a struct character."""
        if position < 0 or position + _SIZES[kind] > len(self.data):
            raise MalformedModelError(
                f"the model is damaged: it points to byte {position} of {len(self.data)}",
                hint="fetch or convert the model again and compare its sha256",
            )
        value: int | float = struct.unpack_from(f"<{kind}", self.data, position)[0]
        return value

    def integer(self, kind: str, position: int) -> int:
        """One little-endian integer."""
        return int(self.read(kind, position))

    def root(self) -> Table:
        """The root table."""
        return Table(self, self.integer("I", 0))


@dataclass(frozen=True)
class Table:
    """One table within a buffer."""

    buffer: Buffer
    position: int

    def _field(self, index: int) -> int | None:
        vtable = self.position - self.buffer.integer("i", self.position)
        size = self.buffer.integer("H", vtable)
        if 4 + 2 * index + 2 > size:
            return None
        offset = self.buffer.integer("H", vtable + 4 + 2 * index)
        return self.position + offset if offset else None

    def scalar(self, index: int, kind: str, default: int = 0) -> int:
        """An integer field, or its default when the file leaves it out."""
        position = self._field(index)
        return default if position is None else self.buffer.integer(kind, position)

    def number(self, index: int, default: float = 0.0) -> float:
        """A float32 field, or its default when the file leaves it out."""
        position = self._field(index)
        return default if position is None else float(self.buffer.read("f", position))

    def _target(self, index: int) -> int | None:
        position = self._field(index)
        return None if position is None else position + self.buffer.integer("I", position)

    def table(self, index: int) -> Table | None:
        """A table field."""
        position = self._target(index)
        return None if position is None else Table(self.buffer, position)

    def _vector(self, index: int, item_bytes: int) -> tuple[int, int]:
        position = self._target(index)
        if position is None:
            return 0, 0
        length = self.buffer.integer("I", position)
        if position + 4 + length * item_bytes > len(self.buffer.data):
            raise MalformedModelError(
                f"the model is damaged: a list of {length} items runs past the end of the file",
                hint="fetch or convert the model again and compare its sha256",
            )
        return position + 4, length

    def has(self, index: int) -> bool:
        """Whether the file sets this field."""
        return self._field(index) is not None

    def vector(self, index: int, kind: str) -> tuple[int | float, ...]:
        """A vector of scalars."""
        start, length = self._vector(index, _SIZES[kind])
        self.buffer.spend(length * _SIZES[kind])
        return struct.unpack_from(f"<{length}{kind}", self.buffer.data, start) if length else ()

    def integers(self, index: int, kind: str) -> tuple[int, ...]:
        """A vector of integers."""
        return tuple(int(value) for value in self.vector(index, kind))

    def blob(self, index: int) -> memoryview:
        """A vector of bytes, without a copy."""
        start, length = self._vector(index, 1)
        return memoryview(self.buffer.data)[start : start + length]

    def string(self, index: int) -> str:
        """A string field; bytes that are not UTF-8 are replaced."""
        blob = self.blob(index)
        self.buffer.spend(len(blob))
        return bytes(blob).decode("utf-8", "replace")

    def tables(self, index: int) -> list[Table]:
        """A vector of tables."""
        start, length = self._vector(index, 4)
        self.buffer.spend(4 * length)
        places = range(start, start + 4 * length, 4)
        return [Table(self.buffer, place + self.buffer.integer("I", place)) for place in places]
