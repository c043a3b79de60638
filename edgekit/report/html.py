"""The page as one HTML file: no script, no network, readable on a phone, in the dark and by a screen reader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core.errors import UnsupportedError
from edgekit.report import svg

if TYPE_CHECKING:
    from edgekit.report._page import Plot, ReportPage, Row, Table

_TEMPLATES = Path(__file__).parent / "templates"
_NUMBER = re.compile(r"[+−-]?\d[\d,.]*(e[+-]?\d+)?(\s|$)")
_NO_NUMBER = frozenset({"", "–", "none", "no noise"})


def render(page: ReportPage, *, served: bool = False) -> str:
    """The report; everything from devices and models is escaped, and the page's own policy forbids scripts.

    Args:
        page: what it says.
        served: by `edgekit report --serve`, where there is a list of runs to go back to.

    Raises:
        UnsupportedError: the optional extra `report` is not installed.
    """
    return fill("report.html.j2", page=page, home=served)


def fill(template: str, **values: Any) -> str:
    """A template of this package with these values, which it escapes.

    Raises:
        UnsupportedError: the optional extra `report` is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as cause:
        raise UnsupportedError(
            "an HTML report needs jinja2", hint="pip install 'edgekit-deploy[report]', or ask for Markdown"
        ) from cause

    def drawn(plot: Plot) -> Markup:
        return Markup(svg.draw(plot))  # noqa: S704 -- svg escapes its texts

    def styled(plot: Plot) -> Markup:
        return Markup(svg.styled(plot))  # noqa: S704 -- a style sheet of ours, and numbers

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["drawn"] = drawn
    environment.filters["styled"] = styled
    environment.filters["figures"] = _figures
    environment.filters["marked"] = _marked
    return environment.get_template(template).render(**values)


def _marked(row: Row) -> str:
    return " ".join([row.provenance, *row.validity]).strip()


def _figures(table: Table) -> frozenset[int]:
    """Columns that hold figures, which are written flush right."""
    columns = range(len(table.header))
    return frozenset(
        column
        for column in columns
        if any(_NUMBER.match(row[column]) for row in table.rows)
        and all(row[column] in _NO_NUMBER or _NUMBER.match(row[column]) for row in table.rows)
    )
