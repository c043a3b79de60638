"""ONNX files, recognised by their protobuf and looked through for files that they point to; nothing of them is loaded.

edgekit reads no ONNX. What it says of one is which operator set it needs, and whether it would have led a reader to
files that are none of its own: tensors may lie in other files, which the model names.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.errors import UnsupportedError, VerificationError

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
"""Wire types of protobuf (protobuf.dev/programming-guides/encoding)."""

_NESTED: Mapping[tuple[str, int], str] = {
    ("model", 7): "graph",
    ("model", 20): "training",
    ("model", 25): "function",
    ("training", 1): "graph",
    ("training", 2): "graph",
    ("function", 7): "node",
    ("graph", 1): "node",
    ("graph", 5): "tensor",
    ("graph", 15): "sparse",
    ("sparse", 1): "tensor",
    ("sparse", 2): "tensor",
    ("node", 5): "attribute",
    ("attribute", 5): "tensor",
    ("attribute", 6): "graph",
    ("attribute", 10): "tensor",
    ("attribute", 11): "graph",
    ("attribute", 22): "sparse",
    ("attribute", 23): "sparse",
    ("tensor", 13): "pointer",
}
"""Message and field of onnx.proto (ONNX 1.20) to the message in it, on the way from the model to names of files."""

_IR_VERSION, _PRODUCER, _GRAPH, _OPERATOR_SET = 1, 2, 7, 8
_FIELDS = frozenset(range(1, 64))
_MAX_FIELDS = 2_000_000
_MAX_TEXT_BYTES = 4096
_MAX_SHOWN = 60
_CONVERT = (
    "export the model from its framework instead: a .tflite, .keras, SavedModel or .pt2, or module:function with "
    "--weights"
)


@dataclass(frozen=True, kw_only=True)
class Onnx:
    """What an ONNX file tells of itself.

    Attributes:
        operator_set: the highest version that it imports; None where it says none.
        producer: what wrote it, or "".
        locations: the other files that its tensors lie in.
    """

    operator_set: int | None
    producer: str
    locations: tuple[str, ...]


def read_onnx(path: Path) -> Onnx | None:
    """What an ONNX file tells; None for a file that is none.

    A damaged file counts as ONNX as long as its first level is protobuf with the fields of a model.
    """
    if path.stat().st_size < 4:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        reader = _Reader(data)
        try:
            top = reader.first_level()
        except ValueError:
            return None
        numbers = {number for number, _, _ in top}
        if not {_IR_VERSION, _GRAPH} <= numbers or not numbers <= _FIELDS:
            return None
        versions = [reader.operator_set(*content) for number, *content in top if number == _OPERATOR_SET]
        return Onnx(
            operator_set=max(versions, default=None),
            producer=next((reader.text(*content)[:_MAX_SHOWN] for number, *content in top if number == _PRODUCER), ""),
            locations=tuple(sorted(reader.locations())),
        )


def refusal(onnx: Onnx, shown: str) -> UnsupportedError | VerificationError:
    """Why a model is not taken: for files that are none of its own, or because nothing here reads ONNX.

    Args:
        onnx: what the file tells.
        shown: the user's own path; the other files would lie beside it. They are looked for, not opened.
    """
    folder = Path(shown).parent
    for location in onnx.locations:
        if why := _leads_out(folder, location):
            return VerificationError(
                f"{shown} is an ONNX model whose weights lie in {_short(location)}, {why}",
                hint="do not use it: a reader would take any file of this computer for weights",
            )
    for location in onnx.locations:
        if not (folder / location).is_file():
            return UnsupportedError(
                f"{shown} is an ONNX model whose weights lie in {_short(location)}, which is not beside it",
                hint=_CONVERT,
            )
    needs = "an unknown operator set" if onnx.operator_set is None else f"operator set {onnx.operator_set}"
    maker = f", made by {onnx.producer}" if onnx.producer else ""
    return UnsupportedError(
        f"{shown} is an ONNX model ({needs}{maker}), and edgekit reads no operator set of ONNX", hint=_CONVERT
    )


def _leads_out(folder: Path, location: str) -> str | None:
    """What is wrong with a name of a file, None when it is a plain file below the model's folder."""
    parts = location.replace("\\", "/").split("/")
    if location.startswith(("/", "\\")) or ".." in parts or "\0" in location or ":" in location:
        return "which leads out of its folder"
    place = folder
    for part in parts:
        place = place / part
        if place.is_symlink():
            return "which is reached through a link"
    if place.is_file() and place.stat().st_nlink > 1:
        return "which has another name elsewhere (a hard link)"
    return None


def _short(location: str) -> str:
    return repr(location if len(location) <= _MAX_SHOWN else location[:_MAX_SHOWN] + "...")


class _Reader:
    """Reads messages of one file, and gives up after more fields than any model has."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._left = _MAX_FIELDS

    def first_level(self) -> list[tuple[int, int, int]]:
        """As `fields`, of the model itself."""
        return list(self.fields(0, len(self._data)))

    def locations(self) -> set[str]:
        """Names of files in every tensor of the model; what is damaged below the first level is passed over."""
        todo, found = [("model", 0, len(self._data))], set[str]()
        while todo:
            kind, start, end = todo.pop()
            try:
                fields = list(self.fields(start, end))
            except ValueError:
                continue
            if kind == "pointer":
                entry = {number: self.text(first, last) for number, first, last in fields}
                if entry.get(1) == "location":
                    found.add(entry.get(2, ""))
                continue
            nested = [field for field in fields if (kind, field[0]) in _NESTED]
            todo += [(_NESTED[kind, number], first, last) for number, first, last in nested]
        return found

    def operator_set(self, start: int, end: int) -> int:
        """The version in an OperatorSetIdProto; 0 where it is damaged."""
        try:
            return next((value for number, value, last in self.fields(start, end) if number == 2 and last < 0), 0)
        except ValueError:
            return 0

    def text(self, start: int, end: int) -> str:
        """The first bytes of a field as text."""
        return self._data[start : min(end, start + _MAX_TEXT_BYTES)].decode("utf-8", "replace") if end >= 0 else ""

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Number, and begin and end of the content, of each field of a message; (number, value, -1) of a whole number.

        Raises:
            ValueError: it is no protobuf, or more of it than any model has.
        """
        while start < end:
            self._left -= 1
            if self._left < 0:
                raise ValueError("too many fields")
            key, start = self._varint(start, end)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise ValueError("field 0")
            if wire == _VARINT:
                value, start = self._varint(start, end)
                yield number, value, -1
                continue
            if wire == _LENGTH:
                size, start = self._varint(start, end)
            elif wire in (_FIXED32, _FIXED64):
                size = 4 if wire == _FIXED32 else 8
            else:
                raise ValueError(f"wire type {wire}")
            if size > end - start:
                raise ValueError("longer than the file")
            yield number, start, start + size
            start += size

    def _varint(self, start: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if start >= end:
                break
            byte = self._data[start]
            start += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, start
        raise ValueError("no end of a number")
