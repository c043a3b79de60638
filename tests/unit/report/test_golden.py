"""The sample run's report is, byte for byte, what it was.

After a change that is meant, write the golden files anew and read the diff:
    EDGEKIT_REFRESH_GOLDEN=1 .venv/bin/pytest tests/unit/report/test_golden.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgekit.report import as_json, build_page, html, markdown

GOLDEN = Path(__file__).parents[2] / "golden" / "report"


def _compare(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("EDGEKIT_REFRESH_GOLDEN"):
        file.write_text(text, encoding="utf-8")
        pytest.skip(f"{name} was written anew")
    assert text == file.read_text(encoding="utf-8"), f"{name} differs; see the top of {Path(__file__).name}"


def test_markdown_is_the_golden_one(document, measurement):
    _compare("report.md", markdown.render(build_page(document, measurement)))


def test_html_is_the_golden_one(document, measurement):
    _compare("report.html", html.render(build_page(document, measurement)))


def test_json_is_the_golden_one(document, measurement):
    _compare("report.json", as_json.render(document, measurement))


@pytest.mark.parametrize(("name", "draw"), [("compression.md", markdown.render), ("compression.html", html.render)])
def test_page_of_a_search_within_an_accuracy_budget_is_the_golden_one(name, draw):
    document = json.loads((GOLDEN / "compression.json").read_text(encoding="utf-8"))

    _compare(name, draw(build_page(document)))
