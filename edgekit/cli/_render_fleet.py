"""What `edgekit deploy --group` draws for people: a live table while it works, every device at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from edgekit.cli._output import shown
from edgekit.cli._render import table
from edgekit.core.events import Event, OnEvent
from edgekit.core.units import format_ns
from edgekit.flows.fleet.member import State
from edgekit.flows.fleet.progress import DeviceEvent

_COLOURS = {
    State.NEW: "green",
    State.OLD: "yellow",
    State.ROLLED_BACK: "red",
    State.QUARANTINED: "magenta",
    State.UNREACHABLE: "red",
    State.SKIPPED: "dim",
}
_MOST_ROWS = 12


def fleet(document: Mapping[str, Any]) -> None:
    """The waves, then each device with its state and reason, then the counts."""
    waves = [
        (str(wave["number"]), str(len(wave["devices"])), str(wave["failures"]), _figure(wave), wave["stopped"] or "")
        for wave in document["waves"]
    ]
    if document["outcome"] == "planned":
        planned = [
            (str(n), str(len(names)), ", ".join(names)) for n, names in enumerate(document["plan"]["devices"], 1)
        ]
        table("", ("wave", "devices", ""), planned)
        click.echo()
    if waves:
        table("", ("wave", "devices", "failures", "median, worst", ""), waves)
        click.echo()
    rows = [
        (
            device["device"],
            str(device["wave"] or "–"),
            device["state"],
            str(len(device["attempts"])),
            _latency(device["latency_ns"]),
            device["reason"],
        )
        for device in document["devices"]
    ]
    table("", ("device", "wave", "state", "tries", "median", "reason"), rows)
    for device in document["devices"]:
        for remark in device["remarks"]:
            click.echo(shown(f"note: {device['device']}: {remark}"), err=True)
    counts = ", ".join(f"{count} {state}" for state, count in document["counts"].items() if count)
    click.echo(shown(f"\n{document['fleet']['devices']} devices, {document['outcome']}: {counts}"))


def _figure(wave: Mapping[str, Any]) -> str:
    found = wave["latency_ns"]
    return "–" if found is None else f"{format_ns(found['median'])}, {format_ns(found['worst'])} ({found['device']})"


def _latency(time_ns: float | None) -> str:
    return "–" if time_ns is None else format_ns(time_ns)


class _Board:
    """The live table: devices that are worked on, and how many have ended where."""

    def __init__(self) -> None:
        self._title = ""
        self._working: dict[str, Event] = {}
        self._ended: Counter[State] = Counter()

    def hear(self, event: Event) -> None:
        """Take note of progress."""
        if not isinstance(event, DeviceEvent):
            self._title = event.message
        elif event.state is None:
            self._working[event.device] = event
        else:
            self._working.pop(event.device, None)
            self._ended[event.state] += 1

    def __rich__(self) -> Table:
        """As it is drawn."""
        counts = [f"[{_COLOURS[state]}]{self._ended[state]} {state}[/]" for state in State if self._ended[state]]
        drawn = Table(
            title="  ".join([escape(self._title), *counts]), title_justify="left", box=None, show_header=False
        )
        for name, event in list(self._working.items())[:_MOST_ROWS]:
            far = f" {event.done * 100 // event.total} %" if event.done is not None and event.total else ""
            drawn.add_row(escape(name), escape(event.phase), escape(event.message[:50] + far))
        if (hidden := len(self._working) - _MOST_ROWS) > 0:
            drawn.add_row("", "", f"and {hidden} more")
        return drawn


@contextmanager
def live_table() -> Iterator[OnEvent]:
    """A listener that draws on stderr and leaves nothing behind."""
    board = _Board()
    with Live(board, console=Console(file=sys.stderr), transient=True, refresh_per_second=4):
        yield board.hear
