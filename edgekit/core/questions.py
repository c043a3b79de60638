"""What a function in the child process asks its parent, and waits for the answer (see `Isolate.call`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Answerer = Callable[[Mapping[str, Any]], Any]


def _nobody(_question: Mapping[str, Any]) -> Any:
    raise RuntimeError("nobody answers questions here")


_answerer: Answerer = _nobody


def answered_by(answerer: Answerer) -> None:
    """Put what is asked to this function from now on."""
    global _answerer
    _answerer = answerer


def ask(question: Mapping[str, Any]) -> Any:
    """Ask the parent.

    Args:
        question: JSON values only.

    Returns:
        The answer, JSON.

    Raises:
        ValueError: the parent says that the question is wrong.
        RuntimeError: nobody answers: outside of a child process, or in a call without `on_ask`.
    """
    return _answerer(question)
