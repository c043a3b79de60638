"""The page as one HTML file: no script, no network, readable on a phone, in the dark and by a screen reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import UnsupportedError
from edgekit.report import svg

if TYPE_CHECKING:
    from edgekit.report._page import Plot, ReportPage

_TEMPLATES = Path(__file__).parent / "templates"


def render(page: ReportPage) -> str:
    """The report; everything from devices and models is escaped, and the page's own policy forbids scripts.

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

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["drawn"] = drawn
    return environment.get_template("report.html.j2").render(page=page)
