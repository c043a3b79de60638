"""The page as GitHub's Markdown, for a pull request or a job summary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgekit.report._page import ReportPage, Row, Section, Table

_SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=:)//|(?<=www)\.|@(?=\w)|#(?=\d)")
_NUMBERS = ("metric", "value", "95 % interval", "from", "note")


def render(page: ReportPage) -> str:
    """The report; what devices and models say cannot become markup, a link or a mention."""
    lines = [f"# {escaped(page.title)}", ""]
    if page.subtitle:
        lines += [escaped(page.subtitle), ""]
    if page.failure is not None:
        lines += [f"**This run failed.** {escaped(page.failure)}", ""]
    if page.verdict is not None:
        lines += [f"**{escaped(page.verdict.word)}**: {escaped(page.verdict.reason)}", ""]
    for remark in page.remarks:
        lines += [f"> {escaped(remark)}", ">"]
    lines = [*lines[:-1], ""] if page.remarks else lines
    lines += as_table(_NUMBERS, map(_cells, page.headline)) if page.headline else []
    for section in page.sections:
        lines += _section(section)
    for facts in page.facts:
        lines += _folded(facts.title, as_table(("name", "value"), facts.entries))
    if page.command:
        fence = "`" * (1 + max((len(run) for run in re.findall("`+", page.command)), default=2))
        lines += ["## Again", "", f"{fence}sh", page.command, fence, ""]
    return "\n".join(lines)


def _section(section: Section) -> list[str]:
    lines = [f"## {escaped(section.title)}", ""]
    lines += as_table(_NUMBERS, map(_cells, section.rows)) if section.rows else []
    lines += [escaped(section.note), ""] if section.note else []
    return lines + (_details(section.table, section.marks) if section.table else [])


def _details(table: Table, marks: Sequence[str]) -> list[str]:
    marked = f"{table.title} ({', '.join(marks)})" if marks else table.title
    return _folded(marked, as_table(table.header, table.rows))


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{escaped(title)}</summary>", "", *lines, "</details>", ""]


def _cells(row: Row) -> tuple[str, ...]:
    source = ", ".join(word for word in (row.provenance, *row.validity) if word)
    return (row.metric, row.value, row.interval, source, row.note)


def as_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table, an empty one behind it."""
    lines = [_line([escaped(name) for name in header]), _line(["---"] * len(header))]
    return [*lines, *(_line([escaped(cell) for cell in row]) for row in rows), ""]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    """Text without the meaning that Markdown, HTML and GitHub would give it."""
    return _SPECIAL.sub(lambda match: "".join(map(_harmless, match[0])), text)


def _harmless(sign: str) -> str:
    if sign in "@#":  # GitHub looks for mentions in the finished HTML, so an entity is not enough
        return f"{sign}&#8203;"
    return f"&#{ord(sign)};" if sign in "&<>/" else f"\\{sign}"
