"""The list of stored runs as one HTML page: search, filters and a choice of two to compare, without a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgekit.report import html
from edgekit.report._document import printable


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A stored run in the list.

    Attributes:
        run_id: its name.
        made: when.
        command: what was asked for.
        device, target, status: as they were stored; empty where a run has none.
        figure: its median latency or accuracy with what is known of it; empty without one.
        flags: of that figure.
    """

    run_id: str
    made: str
    command: str
    device: str
    target: str
    status: str
    figure: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What the reader asked for; empty means any."""

    words: str = ""
    device: str = ""
    status: str = ""


def matching(entries: Sequence[Entry], filters: Filters) -> list[Entry]:
    """Entries that hold every word, on the device, with the status."""
    words = filters.words.casefold().split()
    return [
        entry
        for entry in entries
        if filters.device in ("", entry.device)
        and filters.status in ("", entry.status)
        and all(word in _searched(entry) for word in words)
    ]


def render(entries: Sequence[Entry], filters: Filters, *, most: int = 200, problem: str = "") -> str:
    """The page.

    Args:
        entries: all runs, newest first.
        filters: which of them are shown.
        most: so many at most.
        problem: why the last request could not be done.

    Raises:
        UnsupportedError: the optional extra `report` is not installed.
    """
    entries = [_printable(entry) for entry in entries]
    found = matching(entries, filters)
    return html.fill(
        "runs.html.j2",
        entries=found[:most],
        found=len(found),
        known=len(entries),
        filters=filters,
        devices=sorted({entry.device for entry in entries if entry.device}),
        statuses=sorted({entry.status for entry in entries}),
        problem=printable(problem),
    )


def _printable(entry: Entry) -> Entry:
    texts = {name: printable(text) for name, text in vars(entry).items() if isinstance(text, str)}
    return replace(entry, **texts, flags=tuple(map(printable, entry.flags)))


def _searched(entry: Entry) -> str:
    fields = (entry.run_id, entry.command, entry.device, entry.target, entry.status, entry.figure, *entry.flags)
    return " ".join(fields).casefold()
