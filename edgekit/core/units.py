"""Bytes and nanoseconds, for people: formatted with three digits, parsed from what people write."""

from __future__ import annotations

import re

from edgekit.core.errors import UsageError

_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_TIME_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}


def format_bytes(size_bytes: int) -> str:
    """Bytes below 10 KiB exactly, then KiB, MiB or GiB with one decimal."""
    if abs(size_bytes) < 10 * 1024:
        return f"{size_bytes:,} B"
    value = float(size_bytes)
    for unit in ("KiB", "MiB"):
        value /= 1024
        if abs(value) < 1024:
            return f"{value:,.1f} {unit}"
    return f"{value / 1024:,.1f} GiB"


def format_ns(time_ns: float) -> str:
    """A duration with three significant digits and its best unit."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if abs(time_ns) >= size:
            return f"{time_ns / size:.3g} {unit}" if time_ns < 1000 * size else f"{time_ns / size:,.0f} {unit}"
    return f"{time_ns:.0f} ns"


def _parse(text: str, units: dict[str, int], what: str, example: str) -> int:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Zµ]*)\s*", text)
    if match is None or match[2].lower() not in units:
        raise UsageError(f"{text!r} is not {what}", hint=f"write it like {example}")
    return round(float(match[1]) * units[match[2].lower()])


def parse_bytes(text: str) -> int:
    """A size such as '64KiB', '1.5 MB' or '4096'.

    Raises:
        UsageError: the text is not a size.
    """
    return _parse(text, _BYTES, "a size", "64KiB or 2MB")


def parse_duration_ns(text: str) -> int:
    """A duration such as '20ms', '1.5s' or '300us'.

    Raises:
        UsageError: the text is not a duration.
    """
    return _parse(text, _TIME_NS, "a duration", "20ms or 1.5s")
