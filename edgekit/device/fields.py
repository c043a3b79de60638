"""Strict access to JSON that a device sent: nothing missing, no other type, nothing that upsets a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from edgekit.core.errors import ProtocolError
from edgekit.transports import printable

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_TEXT = 4000
_MAX_DEPTH = 8


def safe(value: Any, *, depth: int = _MAX_DEPTH) -> Any:
    """A JSON value whose strings, keys included, can be printed; what is nested deeper becomes an ellipsis."""
    if isinstance(value, str):
        return printable(value, limit=_MAX_TEXT)
    if isinstance(value, dict):
        return {safe(key): safe(item, depth=depth - 1) for key, item in value.items()} if depth else "…"
    if isinstance(value, list):
        return [safe(item, depth=depth - 1) for item in value] if depth else "…"
    return value


class Fields:
    """Strict access to a JSON object of a device.

    Args:
        value: the object, or what came instead of one.
        where: what it is part of, for messages, e.g. "status".
    """

    def __init__(self, value: object, where: str) -> None:
        self._where = where
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self._wrong("an object", value)
        self._value: dict[str, Any] = value

    def _wrong(self, expected: str, got: object, key: str | None = None) -> ProtocolError:
        place = self._where if key is None else f"{self._where}.{key}"
        return ProtocolError(
            f"the agent's answer has {printable(repr(got), limit=80)} as {place}, expected was {expected}",
            hint="agent and edgekit may be of different versions, or the device is not honest",
        )

    def _get(self, key: str) -> Any:
        if key not in self._value:
            raise ProtocolError(
                f"the agent's answer lacks {self._where}.{key}", hint="agent and edgekit may be of different versions"
            )
        return self._value[key]

    def names(self) -> list[str]:
        """All keys, sorted, as they came."""
        return sorted(self._value)

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self._value.get(key) is not None

    def text(self, key: str) -> str:
        """A string, safe to print."""
        value = self._get(key)
        if not isinstance(value, str):
            raise self._wrong("a string", value, key)
        return printable(value, limit=_MAX_TEXT)

    def exact_text(self, key: str) -> str:
        """A string as it came, for a digest; never to be printed."""
        value = self._get(key)
        if not isinstance(value, str):
            raise self._wrong("a string", value, key)
        return value

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._wrong("true or false", value, key)
        return value

    def integer(self, key: str, *, minimum: int = 0) -> int:
        """An integer of at most 64 bits."""
        value = self._get(key)
        if type(value) is not int or not minimum <= value < 2**63:
            raise self._wrong(f"an integer of at least {minimum}", value, key)
        return value

    def number(self, key: str, *, minimum: float = 0.0) -> float:
        """A finite number."""
        value = self._get(key)
        if type(value) not in (int, float) or not minimum <= value <= sys.float_info.max:  # NaN is not, nor 10**400
            raise self._wrong(f"a number of at least {minimum:g}", value, key)
        return float(value)

    def digest(self, key: str) -> str:
        """64 hex digits."""
        value = self._get(key)
        if not isinstance(value, str) or not _DIGEST.fullmatch(value):
            raise self._wrong("a SHA-256 digest", value, key)
        return value

    def optional_digest(self, key: str) -> str | None:
        """64 hex digits or null."""
        return None if self._get(key) is None else self.digest(key)

    def optional_integer(self, key: str, *, minimum: int = 0) -> int | None:
        """An integer or null."""
        return None if self._get(key) is None else self.integer(key, minimum=minimum)

    def optional_number(self, key: str, *, minimum: float = 0.0) -> float | None:
        """A number or null."""
        return None if self._get(key) is None else self.number(key, minimum=minimum)

    def optional_text(self, key: str) -> str | None:
        """A string or null."""
        return None if self._get(key) is None else self.text(key)

    def objects(self, key: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(item, f"{self._where}.{key}[{index}]") for index, item in enumerate(self._list(key))]

    def integers(self, key: str, *, minimum: int = 0) -> tuple[int, ...]:
        """A list of integers of at most 64 bits."""
        values = self._list(key)
        for value in values:
            if type(value) is not int or not minimum <= value < 2**63:
                raise self._wrong(f"integers of at least {minimum}", value, key)
        return tuple(values)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, safe to print."""
        values = self._list(key)
        for value in values:
            if not isinstance(value, str):
                raise self._wrong("strings", value, key)
        return tuple(printable(value, limit=_MAX_TEXT) for value in values)

    def digests(self, key: str) -> tuple[str, ...]:
        """A list of digests."""
        values = self._list(key)
        for value in values:
            if not isinstance(value, str) or not _DIGEST.fullmatch(value):
                raise self._wrong("SHA-256 digests", value, key)
        return tuple(values)

    def fields(self, key: str) -> Fields:
        """An object."""
        return Fields(self._get(key), f"{self._where}.{key}")

    def optional_fields(self, key: str) -> Fields | None:
        """An object or null."""
        return None if self._get(key) is None else self.fields(key)

    def free_form(self, key: str) -> Mapping[str, Any]:
        """An object of free form, safe to print."""
        value = self._get(key)
        if not isinstance(value, dict):
            raise self._wrong("an object", value, key)
        made: Mapping[str, Any] = safe(value)
        return made

    def _list(self, key: str) -> list[Any]:
        value = self._get(key)
        if not isinstance(value, list):
            raise self._wrong("a list", value, key)
        return value
