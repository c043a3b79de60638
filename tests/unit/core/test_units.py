"""Sizes and durations as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core.errors import UsageError
from edgekit.core.units import format_bytes, format_ns, parse_bytes, parse_duration_ns


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (10239, "10,239 B"),
        (10240, "10.0 KiB"),
        (1024**2 - 1, "1,024.0 KiB"),
        (1024**2, "1.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (-20480, "-20.0 KiB"),
    ],
)
def test_format_bytes_shows_exact_small_and_rounded_large_sizes(size, text):
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1000, "1 µs"),
        (1_234_567, "1.23 ms"),
        (20_000_000, "20 ms"),
        (2_500_000_000_000, "2,500 s"),
    ],
)
def test_format_ns_takes_the_best_unit(time_ns, text):
    assert format_ns(time_ns) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("64KiB", 65536), ("1.5 MB", 1_500_000), (" 2 gib ", 2 * 2**30), ("0b", 0), ("1kb", 1000)],
)
def test_parse_bytes_takes_what_people_write(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [("20ms", 20_000_000), ("1.5s", 1_500_000_000), ("300us", 300_000), ("300µs", 300_000), ("7ns", 7)],
)
def test_parse_duration_takes_what_people_write(text, time_ns):
    assert parse_duration_ns(text) == time_ns


@pytest.mark.parametrize("parse", [parse_bytes, parse_duration_ns])
@pytest.mark.parametrize(
    "text", ["", "5 parsecs", "-1", "-1s", "nan", "1e400", "inf", "1,5s", "0x10", "1..5s", "s", "1 2"]
)
def test_parse_refuses_everything_else(parse, text):
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert repr(text) in caught.value.message
    assert "write it like" in (caught.value.hint or "")


def test_duration_without_a_unit_is_refused():
    with pytest.raises(UsageError):
        parse_duration_ns("20")


@given(st.integers(0, 2**60))
def test_parse_bytes_takes_back_what_it_was_given(size):
    assert parse_bytes(str(size)) == size or size > 2**53
