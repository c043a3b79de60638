"""Options and exit codes of commands that hold one model against another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgekit.cli._settings import Finite

F = TypeVar("F", bound=Callable[..., Any])

_EXIT_CODES = {"fail": 1, "inconclusive": 11}


def drop_options(function: F) -> F:
    """--max-drop and --confidence of a finished model."""
    for decorate in (
        click.option(
            "--max-drop",
            type=Finite(min=0),
            help="How much worse than the other model it may be, by top-1 or --metric; 0.01 is one point.",
        ),
        click.option(
            "--confidence",
            default=0.95,
            type=Finite(0.5, 0.9999),
            help="How sure that has to be, one-sided; 0.5 takes the drop as it was observed.",
        ),
    ):
        function = decorate(function)
    return function


def exit_code(outcome: str | None) -> int:
    """Of an outcome: 0 for a pass, 1 for a failure, 11 for what is open."""
    return _EXIT_CODES.get(str(outcome), 0)
