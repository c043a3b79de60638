"""Tables and progress bars: the only importer of rich."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import markup
from rich.console import Console
from rich.table import Table

from edgekit.cli._output import shown
from edgekit.core.events import Event, OnEvent
from edgekit.report import GPU_TITLE, MCU_TITLE, NPU_TITLE, build_page
from edgekit.report import table as report_table
from edgekit.report.table import Grid


class _Stdout(Console):
    """A console that leaves a closed pipe to `edgekit.cli.main`; rich would exit with 1: a failed gate."""

    def on_broken_pipe(self) -> None:
        """Nobody listens any more."""
        raise BrokenPipeError


def escape(text: str) -> str:
    """Text that is neither markup nor a command to the terminal, whatever file or device it comes from."""
    return markup.escape(shown(text))


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
    if headline.rows:
        table(headline.title, headline.header, headline.rows)
    else:
        console().print(escape(headline.title))
    if page.verdict is not None:
        console().print(escape(f"{page.verdict.word}: {page.verdict.reason}"))
    unkept = [document["run_id_reason"]] if document.get("run_id_reason") else []
    for line in (*page.remarks, *unkept):
        console().print(escape(f"note: {line}"), style="dim")


def run_in_full(document: Mapping[str, Any]) -> None:
    """Print every number of a run, and why others are missing."""
    run_summary(document)
    drawn = build_page(dict(document))
    for section in drawn.sections:
        _table(report_table.numbers(section) or report_table.detail(section))
    for line in report_table.reasons(drawn):
        console().print(escape(f"note: {line}"), style="dim")


def page(document: Mapping[str, Any]) -> None:
    """Print what a report has to say, the tables that belong to its numbers included."""
    run_summary(document)
    for section in build_page(dict(document)).sections:
        _table(report_table.numbers(section))
        _table(report_table.detail(section))
        for note in (section.note, *(f"{row.metric}: {row.note}" for row in section.rows if row.note)):
            if note:
                console().print(escape(note), style="dim")


def _table(given: Grid | None) -> None:
    if given is not None:
        console().print()
        table(given.title, given.header, given.rows)


def steps(document: Mapping[str, Any]) -> None:
    """Print what each step of a compilation made of the model, and what it gained; nothing of a finished bundle."""
    made = [step for step in document.get("steps", ()) if step.get("gain")]
    rows = []
    for step in made:
        accuracy = step.get("metric") or step["accuracy"]
        found = "" if accuracy is None else f"{_figure(accuracy)} of {accuracy['n']:,}"
        zeros = f"{step['sparsity']:.0%}"
        rows.append((step["pass"], f"{step['size_bytes']:,}", f"{step['zip_bytes']:,}", zeros, found))
    if not rows:
        return
    console().print()
    table("Steps", ("step", "bytes", "zipped", "zeros", _metric_name(document)), rows)
    for step in made:
        for line in (step["gain"], *step["notes"]):
            console().print(escape(f"{step['pass']}: {line}"), style="dim")


def kept(document: Mapping[str, Any]) -> None:
    """Print how an accuracy budget was kept, if there was one."""
    budget = document.get("budget")
    if budget is None:
        return
    rows = [
        (layer["name"].partition(";")[0], layer["op"], layer["form"], f"{layer['cost_bytes']:,}")
        for layer in budget["kept"]
    ]
    if rows:
        console().print()
        table("Layers left out of int8", ("layer", "operator", "form", "more bytes"), rows)
        shares = f"{budget['kept_weights']:.1%} of the weights, {budget['kept_macs']:.1%} of the multiply-accumulates"
        console().print(f"{budget['cost_bytes']:+,} bytes of the file; {shares}", style="dim")
        console().print(escape(_kept_time(budget)), style="dim")
    chosen = ", ".join(f"{name} {value}" for name, value in budget["settings"].items() if "keep_" not in name)
    tried = f"{len(document['trials'])} variants were tried" + (f"; taken: {chosen}" if chosen else "")
    console().print(escape(tried), style="dim")


def _metric_name(document: Mapping[str, Any]) -> str:
    return document["metric"]["name"] if document.get("metric") else "top-1"


def _figure(found: Mapping[str, Any]) -> str:
    return f"{found['value']:.2%}" if found.get("is_share", True) else f"{found['value']:.4g}"


def _kept_time(budget: Mapping[str, Any]) -> str:
    """What the kept layers cost in time, on the computer that it was measured on."""
    found = budget["time_ratio"]
    if found is None:
        return f"time of one inference: not measured, {budget['time_ratio_reason']}"
    return (
        f"on {found['where']}: {found['value']:.2f}x the time of plain int8 (median of {found['pairs']} pairs of "
        f"processes, range {found['low']:.2f} to {found['high']:.2f}), not the target's time"
    )


def on_target(document: Mapping[str, Any]) -> None:
    """Print what the target's own compiler or delegate made of the artifact: a GPU's, a microcontroller's."""
    for section in build_page(dict(document)).sections:
        if section.title not in (GPU_TITLE, MCU_TITLE, NPU_TITLE):
            continue
        console().print()
        rows = [(row.metric, row.value, " ".join(filter(None, (row.interval, row.note)))) for row in section.rows]
        table(section.title, ("", "", ""), rows)
        if section.table is not None:
            table(section.table.title, section.table.header, section.table.rows)


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
