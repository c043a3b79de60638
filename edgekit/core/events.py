"""What a flow tells its caller while it works; the command line draws it, a library user may ignore it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Event:
    """One piece of progress.

    Attributes:
        phase: short name of what is going on, e.g. "compile" or "upload".
        message: one line for people.
        done, total: how far, in any unit, when that is known.
    """

    phase: str
    message: str
    done: int | None = None
    total: int | None = None


OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """The listener of callers who do not listen."""
