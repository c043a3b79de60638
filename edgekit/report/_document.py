"""Reads a run document in which any part may be missing, null, or not what it should be."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

_TEXT_LIMIT = 400
_ENTRY_LIMIT = 200
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
_TURNS_TEXT_ROUND = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def printable(text: str, limit: int = _TEXT_LIMIT) -> str:
    """Text from a device or a model, safe to show: one line, no control characters, of limited length."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(
        " " if sign in "\r\n\t" else "\N{REPLACEMENT CHARACTER}" if _is_unprintable(sign) else sign for sign in text
    )


def _is_unprintable(sign: str) -> bool:
    return unicodedata.category(sign) in _UNPRINTABLE or unicodedata.bidirectional(sign) in _TURNS_TEXT_ROUND


class Part:
    """A part of a document; asking a missing part for more gives missing parts, asking for a value gives None."""

    def __init__(self, value: Any, *, present: bool = True) -> None:
        self._value = value
        self.present = present

    def __getitem__(self, name: str) -> Part:
        if isinstance(self._value, Mapping) and name in self._value:
            return Part(self._value[name])
        return Part(None, present=False)

    def __bool__(self) -> bool:
        return self._value is not None

    def text(self, limit: int = _TEXT_LIMIT) -> str | None:
        """A string that is not empty, printable; for an object, the string under its `name`."""
        if isinstance(self._value, Mapping):
            return self["name"].text(limit)
        return printable(self._value, limit) if isinstance(self._value, str) and self._value else None

    def number(self) -> float | None:
        """A finite number."""
        if isinstance(self._value, bool) or not isinstance(self._value, int | float):
            return None
        try:
            value = float(self._value)
        except OverflowError:
            return None
        return value if math.isfinite(value) else None

    def count(self) -> int | None:
        """A whole number that is not negative."""
        value = self.number()
        return int(value) if value is not None and value >= 0 and value == int(value) else None

    def flag(self) -> bool:
        """True only for true."""
        return self._value is True

    def is_flag(self) -> bool:
        """Whether it is true or false."""
        return isinstance(self._value, bool)

    def names(self) -> list[str]:
        """Names of an object's parts in their order, at most 200."""
        return [str(name) for name in self._value][:_ENTRY_LIMIT] if isinstance(self._value, Mapping) else []

    def items(self) -> list[Part]:
        """The elements of a list, else none."""
        return [Part(value) for value in self._value] if isinstance(self._value, list | tuple) else []

    def entries(self) -> Iterator[tuple[str, str]]:
        """Names and texts of an object's leaves, sorted, nested names joined by dots, at most 200."""
        for number, entry in enumerate(sorted(_leaves("", self._value))):
            if number == _ENTRY_LIMIT:
                return
            yield entry


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    elif name:
        known = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        text = "not known" if value is None else known
        yield printable(name), printable(text)
