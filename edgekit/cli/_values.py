"""Numbers, shapes and sizes as people write them in flags."""

from __future__ import annotations

from fractions import Fraction

import click

from edgekit.core.errors import UsageError

_MOST_CORES = 4095


def number(text: str, name: str) -> float:
    """One number, or a ratio such as 1/255.

    Raises:
        UsageError: it is something else.
    """
    values = numbers(text, name)
    if len(values) != 1:
        raise UsageError(f"--{name} {text!r} is {len(values)} numbers", hint="give one; --mean and --std take several")
    return values[0]


def numbers(text: str, name: str) -> tuple[float, ...]:
    """Numbers with commas between them.

    Raises:
        UsageError: it is something else.
    """
    try:
        return tuple(float(Fraction(part.strip())) for part in text.split(","))
    except (ValueError, ZeroDivisionError, OverflowError) as cause:
        raise UsageError(
            f"--{name} {text!r} is not a number", hint="write it like 0.5, 1/255 or 0.485,0.456,0.406"
        ) from cause


def shape(text: str | None) -> tuple[int, ...] | None:
    """Sizes with commas between them; None for none.

    Raises:
        UsageError: it is something else.
    """
    if text is None:
        return None
    sizes = [part.strip() for part in text.split(",")]
    if not all(size.isdecimal() and 0 < int(size) < 2**31 for size in sizes):
        raise UsageError(f"--input-shape {text!r} is not a shape", hint="write it like 1,224,224,3, the batch first")
    return tuple(map(int, sizes))


def size(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH of image files.

    Raises:
        UsageError: it is something else.
    """
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UsageError(f"--resize {text!r} is not a size", hint="write it like 96x96 (height x width)")
    return int(height), int(width)


def cores(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, ...]:
    """Core numbers and ranges with commas between them, as taskset takes them; empty for none.

    Raises:
        UsageError: it is something else.
    """
    found: set[int] = set()
    for part in [] if text is None else text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or int(last or first) > _MOST_CORES:
            raise UsageError(f"--cores {text!r} names no cores", hint="write it like 1-3 or 0,2")
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))
