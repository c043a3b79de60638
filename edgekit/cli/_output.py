"""Where output goes: one document on stdout, everything else on stderr; progress only for people at a terminal."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from edgekit.core.errors import EdgekitError
from edgekit.core.events import Event, OnEvent, ignore

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Output:
    """How a command speaks.

    Attributes:
        as_json: stdout is one JSON document.
        quiet: no progress.
        verbose: progress as lines even without a terminal.
    """

    as_json: bool
    quiet: bool
    verbose: bool

    def show(self, document: Mapping[str, Any], draw: Callable[[], None]) -> None:
        """Print the document, or let `draw` show it to people."""
        if self.as_json:
            click.echo(json.dumps(document, indent=2, sort_keys=True, allow_nan=False))
        else:
            draw()

    def note(self, text: str) -> None:
        """A line for people, on stderr."""
        if not self.quiet:
            click.echo(shown(text), err=True)

    @property
    def has_live_progress(self) -> bool:
        """Whether progress is drawn over itself: stderr is a terminal, and nobody asked for lines or silence."""
        return not self.quiet and not self.verbose and sys.stderr is not None and sys.stderr.isatty()

    @contextmanager
    def progress(self) -> Iterator[OnEvent]:
        """A listener for a flow's events, drawn while the block runs."""
        if self.quiet:
            yield ignore
        elif self.verbose:
            yield _as_line
        elif self.has_live_progress:
            from edgekit.cli._render import live_progress

            with live_progress() as listener:
                yield listener
        else:
            yield ignore


def output_options(function: F) -> F:
    """The options that every command has: --json, -q, -v, --debug."""
    for decorate in (
        click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks."),
        click.option("-v", "--verbose", is_flag=True, help="Show progress as lines."),
        click.option("-q", "--quiet", is_flag=True, help="Show no progress and no notes."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else."),
    ):
        function = decorate(function)
    return function


def gate(document: Mapping[str, Any]) -> int:
    """Exit code of a run with budgets: 1 when one is exceeded; says which on stderr."""
    failed = [verdict for verdict in document["verdicts"] if verdict["outcome"] == "fail"]
    for verdict in failed:
        click.echo(
            f"budget exceeded: {verdict['metric']} is {verdict['value']:g}, the limit is {verdict['limit']:g}", err=True
        )
    return 1 if failed else 0


def show_error(error: EdgekitError, *, as_json: bool, debug: bool) -> None:
    """What went wrong and what to do, on stderr; with `as_json` also as a document on stdout."""
    if debug:
        traceback.print_exception(error)
        for key in ("traceback", "log"):
            if error.details.get(key):
                click.echo(shown(f"--- {key}\n{error.details[key]}"), err=True)
    click.echo(f"{click.style('error', fg='red', bold=True)}: {shown(error.message)}", err=True)
    if error.hint:
        click.echo(f"  try: {shown(error.hint)}", err=True)
    if as_json:
        with suppress(OSError):  # a full or closed stdout must not hide the exit code
            print_error_document(error)


def print_error_document(error: EdgekitError) -> None:
    """The document that `--json` prints in place of a result."""
    document = {"schema": "edgekit.error/1", "error": error.as_json() | {"exit_code": error.exit_code}}
    click.echo(json.dumps(document, indent=2, sort_keys=True, default=str))


def shown(text: str) -> str:
    """Text with its control characters spelt out: a file's or a device's name must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _as_line(event: Event) -> None:
    far = f" {event.done}/{event.total}" if event.done is not None and event.total else ""
    click.echo(f"{event.phase}: {shown(event.message)}{far}", err=True)
