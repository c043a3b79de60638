"""What a benchmark found, as rows of a table: pure text, no measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row.

    Attributes:
        what: what was measured.
        value: the figure with its unit.
        goal: what it should be, None for a figure that only informs.
        met: whether it is; None without a goal.
        note: why a goal is missed, or how to read the figure.
    """

    what: str
    value: str
    goal: str | None = None
    met: bool | None = None
    note: str = ""


def at_most(what: str, value: float, limit: float, unit: str, *, note: str = "") -> Figure:
    """A figure that should not be above a limit."""
    return Figure(
        what=what,
        value=with_unit(value, unit),
        goal=f"at most {with_unit(limit, unit)}",
        met=value <= limit,
        note=note,
    )


def at_least(what: str, value: float, limit: float, unit: str, *, note: str = "") -> Figure:
    """A figure that should not be below a limit."""
    return Figure(
        what=what,
        value=with_unit(value, unit),
        goal=f"at least {with_unit(limit, unit)}",
        met=value >= limit,
        note=note,
    )


def with_unit(value: float, unit: str) -> str:
    """A number with three significant digits and its unit."""
    if value == 0:
        number = "0"
    elif abs(value) >= 100:
        number = f"{value:,.0f}"
    else:
        number = f"{value:.3g}"
    return f"{number}{unit}" if unit == "x" else f"{number} {unit}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of runs that were taken in turn, so that a drift of the machine cancels out."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def verdict(figure: Figure) -> str:
    """The word for the column "met"."""
    return "" if figure.met is None else "yes" if figure.met else "**no**"


def table(figures: Sequence[tuple[str, Figure]]) -> str:
    """Markdown: what, figure, goal, met, command.

    Args:
        figures: rows, each with the name of its benchmark.
    """
    lines = ["| what | figure | goal | met | command |", "|---|---|---|---|---|"]
    lines += [
        f"| {figure.what} | {figure.value} | {figure.goal or ''} | {verdict(figure)} | `scripts/bench {name}` |"
        for name, figure in figures
    ]
    return "\n".join(lines)


def notes(figures: Sequence[tuple[str, Figure]]) -> str:
    """Markdown: what is to be said of single rows; empty when there is nothing."""
    return "\n".join(f"- {figure.what}: {figure.note}" for _, figure in figures if figure.note)


def replaced(document: str, text: str) -> str:
    """A document with what stands between the markers replaced.

    Raises:
        ValueError: the markers are missing.
    """
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} ... {END}")
    return f"{head}{BEGIN}\n{text.strip()}\n{END}{tail}"
