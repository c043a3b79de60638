"""Text from a device, made safe for terminals, logs and error messages."""

from __future__ import annotations

import unicodedata

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that move cursors, hide or reorder text: controls, formats (bidi), surrogates, separators."""


def printable(text: str | bytes, *, limit: int = 500) -> str:
    """The text with every character that is not plainly visible as an escape, cut after `limit` characters.

    Args:
        text: what a device said; bytes are read as UTF-8, wrong ones become escapes.
        limit: longest result in characters before the ellipsis.
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode("utf-8", errors="backslashreplace")
    cut = text[: limit + 1]
    shown = "".join(
        char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in _UNSAFE else char for char in cut
    )
    return shown if len(shown) <= limit else shown[:limit] + "…"
