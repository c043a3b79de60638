"""What several verbs take besides the options of a project: MODEL, --offline, and the ready-made output."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgekit.cli._output import Output, output_options
from edgekit.cli._settings import PATH

F = TypeVar("F", bound=Callable[..., Any])


def with_output(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `output_options`; the verb gets them as `console`."""

    @functools.wraps(function)
    def verb(*, as_json: bool, quiet: bool, verbose: bool, **rest: Any) -> Any:
        return function(console=Output(as_json=as_json, quiet=quiet, verbose=verbose), **rest)

    return output_options(verb)


def model_argument(function: F) -> F:
    """MODEL, which the project may name instead."""
    return click.argument("model", required=False, type=PATH)(function)


def offline_option(function: F) -> F:
    """--offline."""
    return click.option("--offline", is_flag=True, help="Download nothing.")(function)
