"""The way out of our errors, where pytest shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.core.errors import EdgekitError


@contextmanager
def hinted() -> Iterator[None]:
    """Errors of the block tell their hint below their message."""
    try:
        yield
    except EdgekitError as error:
        if error.hint:
            error.add_note(f"hint: {error.hint}")
        raise
