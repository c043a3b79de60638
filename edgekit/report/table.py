"""The page as rows of plain text, narrow enough for a terminal of 80 columns; the command line draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.report._page import ReportPage, Row, Table
from edgekit.report._wording import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER = ("metric", "value", "95 % interval", "from")


def headline(page: ReportPage) -> Table:
    """The few numbers that a command ends with."""
    return _numbers(page.title, page.headline)


def sections(page: ReportPage) -> tuple[Table, ...]:
    """All numbers, one table a question."""
    return tuple(_numbers(section.title, section.rows) for section in page.sections if section.rows)


def notes(page: ReportPage) -> tuple[str, ...]:
    """Lines to print below: why something was not measured, and what to know before trusting a number."""
    missing = [
        f"{section.title}, {row.metric}: {row.note}"
        for section in page.sections
        for row in section.rows
        if row.note and not row.provenance and row.value == NOT_MEASURED
    ]
    return (*missing, *page.remarks)


def _numbers(title: str, rows: Iterable[Row]) -> Table:
    return Table(title=title, header=_HEADER, rows=tuple(_cells(row) for row in rows))


def _cells(row: Row) -> tuple[str, ...]:
    flags = [flag for flag in row.validity if flag not in ("VALID", "EMULATED")]  # "from" says the latter already
    return (row.metric, row.value, row.interval, " ".join([row.provenance, *flags]).strip())
