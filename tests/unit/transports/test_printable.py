"""Text of devices on its way to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.transports import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, äöü, 日本", "plain text, äöü, 日本"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edcb", "abc\\u202edcb"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        (b"\xff\x00ok", "\\xff\\x00ok"),
    ],
)
def test_what_is_not_plainly_visible_is_escaped(text, shown):
    assert printable(text) == shown


def test_long_text_is_cut():
    assert printable("x" * 1000, limit=10) == "x" * 10 + "…"
    assert printable("x" * 10, limit=10) == "x" * 10


@given(st.text() | st.binary())
def test_anything_becomes_one_printable_line(text):
    assert printable(text, limit=40).isprintable()
    assert len(printable(text, limit=40)) <= 41
