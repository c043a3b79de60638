"""Protobuf messages written by hand, field by field, so that a hostile one needs none of the libraries that read it."""

from __future__ import annotations


def number(field: int, value: int) -> bytes:
    """A field that is a whole number from 0 on."""
    return _varint(field << 3) + _varint(value)


def message(field: int, *parts: bytes) -> bytes:
    """A field that is a message, or a text, of these parts."""
    content = b"".join(parts)
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
