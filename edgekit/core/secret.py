"""A value that no message, log, document or traceback shows."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Bytes of a private key or a passphrase.

    Whatever turns values into text (str, repr, format, json, pickle) gets a placeholder or an error; only `reveal`
    hands the bytes out, where they are used.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a set or a dict of secrets is nothing that we want

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        """Compared in the same time whatever differs."""
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")
