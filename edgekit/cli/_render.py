"""Tables and progress bars: the only importer of rich."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgekit.core.events import Event, OnEvent
from edgekit.report import build_page
from edgekit.report import table as report_table


class _Stdout(Console):
    """A console that leaves a closed pipe to `edgekit.cli.main`; rich would exit with 1: a failed gate."""

    def on_broken_pipe(self) -> None:
        """Nobody listens any more."""
        raise BrokenPipeError


def console() -> Console:
    """Stdout; plain text when it is no terminal."""
    made = _Stdout(highlight=False, soft_wrap=False)
    if not made.width:  # COLUMNS=0, which shells without a terminal set
        made.width = 80
    return made


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; cells are text, never markup."""
    drawn = Table(title=escape(title) or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(header):
        drawn.add_column(escape(name), overflow="fold", no_wrap=False, style="" if index else "cyan")
    for row in rows:
        drawn.add_row(*(escape(cell) for cell in row))
    console().print(drawn)


def facts(title: str, values: Mapping[str, str]) -> None:
    """Print names with their values."""
    table(title, ("", ""), [(name, value) for name, value in values.items()])


def run_summary(document: Mapping[str, Any]) -> None:
    """Print the few numbers that a run ends with, and what to know of them."""
    page = build_page(dict(document))
    headline = report_table.headline(page)
    table(headline.title, headline.header, headline.rows)
    unkept = [document["run_id_reason"]] if document.get("run_id_reason") else []
    for line in (*page.remarks, *unkept):
        console().print(escape(f"note: {line}"), style="dim")


def run_in_full(document: Mapping[str, Any]) -> None:
    """Print every number of a run."""
    run_summary(document)
    for section in report_table.sections(build_page(dict(document))):
        console().print()
        table(section.title, section.header, section.rows)


@contextmanager
def live_progress() -> Iterator[OnEvent]:
    """A bar on stderr that follows a flow's events and leaves nothing behind."""
    # Half of what rich takes to import, and only a terminal sees it.
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[phase]}", style="cyan"),
        BarColumn(bar_width=20),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def listen(event: Event) -> None:
        for name, task in tasks.items():
            if name != event.phase:
                bar.update(task, visible=False)
        if event.phase not in tasks:
            tasks[event.phase] = bar.add_task("", total=None, phase=event.phase)
        bar.update(
            tasks[event.phase],
            description=escape(event.message[:60]),
            completed=event.done or 0,
            total=event.total,
            visible=True,
        )

    with bar:
        yield listen
