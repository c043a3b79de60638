"""Text from a device, made safe for terminals, logs and error messages."""

from __future__ import annotations


def printable(text: str | bytes, *, limit: int = 500) -> str:
    """The text with every control, bidi mark, surrogate and odd space as an escape, cut after `limit` characters.

    Args:
        text: what a device said; bytes are read as UTF-8, wrong ones become escapes.
        limit: longest result in characters before the ellipsis.
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode("utf-8", errors="backslashreplace")
    cut = text[: limit + 1]
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in cut)
    return shown if len(shown) <= limit else shown[:limit] + "…"
