"""The page as rows of plain text, narrow enough for a terminal of 80 columns; the command line draws them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.report._page import ReportPage, Row, Section
from edgekit.report._page import Table as Grid
from edgekit.report._wording import NOT_MEASURED

__all__ = ["Grid", "detail", "headline", "numbers", "reasons", "sections"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORST_FIRST = ("INVALID", "THROTTLED", "NONDETERMINISTIC", "UNSTEADY", "NOISY", "SYNTHETIC")
_HEADER = ("metric", "value", "95 % interval", "from")


def headline(page: ReportPage) -> Grid:
    """The few numbers that a command ends with."""
    return _numbers(page.title, page.headline)


def sections(page: ReportPage) -> tuple[Grid, ...]:
    """All numbers, one table a question."""
    return tuple(table for section in page.sections if (table := numbers(section)) is not None)


def numbers(section: Section) -> Grid | None:
    """The numbers of one question; None for a section that is only a table."""
    return _numbers(section.title, section.rows) if section.rows else None


def detail(section: Section) -> Grid | None:
    """The table of one question; the title says what is known of its figures."""
    if section.table is None:
        return None
    return replace(section.table, title=" ".join([section.table.title, *_bracketed(section.marks)]))


def _bracketed(marks: Sequence[str]) -> list[str]:
    return [f"({', '.join(marks)})"] if marks else []


def reasons(page: ReportPage) -> tuple[str, ...]:
    """Why something was not measured."""
    return tuple(
        f"{section.title}, {row.metric}: {row.note}"
        for section in page.sections
        for row in section.rows
        if row.note and not row.provenance and row.value == NOT_MEASURED
    )


def _numbers(title: str, rows: Iterable[Row]) -> Grid:
    return Grid(title=title, header=_HEADER, rows=tuple(_cells(row) for row in rows))


def _cells(row: Row) -> tuple[str, ...]:
    return (row.metric, row.value, row.interval, " ".join([row.provenance, *_brief(row.validity)]).strip())


def _brief(validity: Sequence[str]) -> list[str]:
    """The worst flag and how many others there are; the remarks above name them all."""
    flags = sorted((flag for flag in validity if flag not in ("VALID", "EMULATED")), key=_severity)
    return [*flags[:1], f"+{len(flags) - 1}"] if len(flags) > 2 else flags


def _severity(flag: str) -> int:
    return _WORST_FIRST.index(flag) if flag in _WORST_FIRST else len(_WORST_FIRST)
