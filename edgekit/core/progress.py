"""What a function in the child process says while it works; the parent hears it as events (see `Isolate.call`)."""

from __future__ import annotations

from collections.abc import Callable

Sink = Callable[[str, int | None, int | None], None]


def _nobody(_message: str, _done: int | None, _total: int | None) -> None:
    """Outside a child process nobody listens."""


_sink: Sink = _nobody


def listen(sink: Sink) -> None:
    """Send what is told to this function from now on."""
    global _sink
    _sink = sink


def tell(message: str, *, done: int | None = None, total: int | None = None) -> None:
    """Say one line of progress.

    Args:
        message: for people.
        done, total: how far, in any unit, when that is known.
    """
    _sink(message, done, total)
