"""Every format draws any document, and nothing from a device gets further than being text."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table as RichTable

from edgekit.core.errors import InternalError, UnsupportedError
from edgekit.report import as_json, build_page, html, markdown, svg, table
from edgekit.report._document import printable

if TYPE_CHECKING:
    from edgekit.core.measurement import Measurement

DOCUMENT = json.loads((Path(__file__).parents[2] / "golden" / "report" / "run.json").read_text(encoding="utf-8"))
HOSTILE = "<script>alert(1)</script>\"'&`|[x](http://www.evil.example)\x1b[2J\n#12 @everyone \u202e{{ 7*7 }}"


class _Tags(HTMLParser):
    """Collects tags with their attributes and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _poisoned(value: Any) -> Any:
    """The same document with every string and every key of a free mapping replaced by something hostile."""
    if isinstance(value, dict):
        free = {"params", "versions", "environment"}
        return {
            key: {HOSTILE: HOSTILE, "a": {"b": HOSTILE}} if key in free else _poisoned(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_poisoned(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def test_html_is_small_and_needs_nothing_else(document, measurement):
    text = html.render(build_page(document, measurement))

    tags = _Tags(text).tags
    assert len(text.encode()) < 60_000
    assert {"script", "link", "img", "iframe", "object", "base", "form"}.isdisjoint(tag for tag, _ in tags)
    assert not [name for _, attributes in tags for name in attributes if name in ("src", "style", "xlink:href")]
    assert all(attributes["href"].startswith("#") for _, attributes in tags if "href" in attributes)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_html_of_a_long_measurement_stays_below_200_kb(document, measurement: Measurement):
    runs = tuple(replace(run, samples_ns=tuple(range(3_000_000, 3_500_000, 500))) for run in measurement.runs[:1] * 40)

    text = html.render(build_page(document, replace(measurement, runs=runs)))

    assert len(text.encode()) < 200_000


def test_html_can_be_used_without_a_mouse_or_eyes(document, measurement):
    tags = _Tags(html.render(build_page(document, measurement))).tags

    assert ("html", {"lang": "en"}) in tags
    assert len([tag for tag, _ in tags if tag == "h1"]) == 1
    assert len([tag for tag, _ in tags if tag == "svg"]) == 4
    assert all(a.get("role") == "img" and a.get("aria-label") for tag, a in tags if tag == "svg")
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for _, a in tags if a.get("class") == "scroll")
    assert all(a.get("scope") in ("col", "row") for tag, a in tags if tag == "th")


def test_html_shows_what_devices_say_as_text(document, measurement):
    page = build_page(_poisoned(document), measurement)

    parsed = _Tags(html.render(page))

    assert "script" not in [tag for tag, _ in parsed.tags]
    assert "<script>alert(1)</script>" in parsed.text
    assert "{{ 7*7 }}" in parsed.text
    assert not set(parsed.text) & {"\x1b", "\u202e"}


def test_markdown_shows_what_devices_say_as_text(document, measurement):
    page = replace(build_page(_poisoned(document), measurement), command="")

    text = markdown.render(page)

    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "www." not in text
    assert "://" not in text
    assert not re.search(r"@\w|(?<!&)#\d", text)
    assert not set(text) & {"\x1b", "\u202e"}


def test_markdown_tables_keep_their_columns(document, measurement):
    text = markdown.render(build_page(_poisoned(document), measurement))

    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| metric")}
    assert widths == {6}
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_markdown_command_cannot_leave_its_fence():
    page = build_page({"command": "x ```\n# out ````"})

    text = markdown.render(page)

    assert "`````sh\nx ``` # out ````\n`````" in text


@pytest.mark.parametrize("width", [80, 100])
def test_terminal_of_80_columns_cuts_nothing(document, measurement, width: int):
    page = build_page(document, measurement)
    for rows in (table.headline(page), *table.sections(page)):
        drawn = RichTable(*rows.header)
        for cells in rows.rows:
            drawn.add_row(*cells)
        out = io.StringIO()
        Console(file=out, width=width).print(drawn)

        text = out.getvalue()

        assert "…" not in text
        for _, value, interval, origin in rows.rows:
            assert all(cell in text for cell in (value, interval, origin))


def test_table_says_why_something_was_not_measured(document):
    reasons = table.reasons(build_page(document))

    assert reasons == ("Latency in the emulator (not the device's), p99: 360 samples, 662 are needed",)


def test_json_holds_the_document_and_every_sample(document, measurement: Measurement):
    text = as_json.render(document, measurement)

    parsed = json.loads(text)
    samples = parsed["measurement"]["runs"][0]["samples_ns"]
    assert tuple(samples) == measurement.runs[0].samples_ns
    assert {**parsed, "measurement": None} == {**document, "measurement": None}
    assert json.loads(as_json.render(document)) == document


def test_json_refuses_nan():
    with pytest.raises(InternalError, match="not plain JSON"):
        as_json.render({"x": float("nan")})


def test_html_without_jinja2_says_what_to_install(monkeypatch, document):
    monkeypatch.setitem(sys.modules, "jinja2", None)

    with pytest.raises(UnsupportedError) as caught:
        html.render(build_page(document))

    assert "edgekit-deploy[report]" in (caught.value.hint or "")


LEAF = (
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=9) | st.just(HOSTILE)
)
ANYTHING = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def _all_paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in items for found in _all_paths(inner, (*path, key)))]


def _replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, list):
        return [_replaced(inner, path[1:], new) if n == path[0] else inner for n, inner in enumerate(value)]
    return {key: _replaced(inner, path[1:], new) if key == path[0] else inner for key, inner in value.items()}


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_part_may_be_anything(data: st.DataObject):
    path = data.draw(st.sampled_from(_all_paths(DOCUMENT)[1:]))

    page = build_page(_replaced(DOCUMENT, path, data.draw(ANYTHING)))

    assert "<script" not in html.render(page)
    markdown.render(page).encode()
    assert all(len(row) == 4 for rows in table.sections(page) for row in rows.rows)
    assert all(table.reasons(page))


@given(st.text(max_size=30))
def test_printable_is_one_line_that_utf8_can_carry(text: str):
    shown = printable(text, limit=20)

    assert len(shown) <= 20
    assert "\n" not in shown
    shown.encode()


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks_are_few_round_and_within_the_axis(low: float, width: float):
    high = low + width
    if not high - low > 1e-6 * max(abs(low), abs(high), 1e-9):
        return

    values = svg.ticks(low, high)

    room = 1e-9 * max(abs(low), abs(high), width)
    assert 1 <= len(values) <= 6
    assert all(low - room <= value <= high + room for value in values)


def test_svg_is_well_formed_whatever_the_labels_say(document, measurement):
    page = build_page(_poisoned(document), measurement)
    plots = [section.plot for section in page.sections if section.plot]

    drawn = [ElementTree.fromstring(svg.draw(plot)) for plot in plots]

    assert len(drawn) == 4
    assert all(element.find("desc") is not None for element in drawn)
