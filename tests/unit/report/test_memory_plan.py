"""The memory plan's section, table and picture, from a document in which anything may be missing."""

import copy
import io
from xml.etree import ElementTree

import pytest
from rich.console import Console
from rich.table import Table as RichTable

from edgekit.report import build_page, html, markdown, svg
from edgekit.report.memory_plan import TITLE

_DOCUMENT = {
    "mcu": {
        "memory": {
            "arena_bytes": 3000,
            "lower_bound_bytes": 3000,
            "is_optimal": True,
            "peak_step": 1,
            "steps": [{"name": "0 CONV_2D", "needs_bytes": 1500}, {"name": "1 <ADD> & more", "needs_bytes": 3000}],
            "blocks": [
                {"name": "x", "kind": "input", "offset_bytes": 2000, "size_bytes": 500, "first": 0, "last": 0},
                {"name": "a", "kind": "layer", "offset_bytes": 0, "size_bytes": 1000, "first": 0, "last": 1},
                {"name": "y", "kind": "layer", "offset_bytes": 1000, "size_bytes": 2000, "first": 1, "last": 1},
                {
                    "name": "scratch of 0",
                    "kind": "scratch",
                    "offset_bytes": 1000,
                    "size_bytes": 8,
                    "first": 0,
                    "last": 0,
                },
            ],
        }
    }
}


def _section(document):
    return next((section for section in build_page(document).sections if section.title == TITLE), None)


def test_section_names_the_layer_that_sets_the_peak_and_the_bound():
    section = _section(_DOCUMENT)

    assert [(row.metric, row.value) for row in section.rows] == [
        ("arena", "3,000 B"),
        ("proven lower bound", "3,000 B"),
        ("layer that needs most", "1 <ADD> & more"),
    ]
    assert section.rows[1].note == "no plan is smaller"
    assert section.rows[2].note == "live: output of 1 <ADD> & more 2,000 B, output of 0 CONV_2D 1,000 B"


def test_section_admits_that_the_bound_is_not_reached():
    document = copy.deepcopy(_DOCUMENT)
    document["mcu"]["memory"] |= {"is_optimal": False, "lower_bound_bytes": 2900}

    assert "stopped" in _section(document).rows[1].note


def test_table_marks_the_peak_and_fits_80_columns():
    rows = _section(_DOCUMENT).table.rows

    assert rows == (("0", "0 CONV_2D", "1,500", "█" * 8), ("1", "1 <ADD> & more", "3,000", "█" * 16 + " peak"))
    document = copy.deepcopy(_DOCUMENT)
    document["mcu"]["memory"]["steps"] = [{"name": "very_" * 30, "needs_bytes": 1_234_567}] * 100
    document["mcu"]["memory"]["peak_step"] = 99
    drawn = RichTable(*_section(document).table.header)
    for row in _section(document).table.rows:
        drawn.add_row(*row)
    console = Console(width=80, file=io.StringIO())
    console.print(drawn)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 100 + 4
    assert sum("1,234,567" in line for line in lines) == 100


def _share(length: str) -> float:
    assert length.endswith("%")
    return float(length[:-1])


def test_picture_places_every_block_at_its_address_and_time():
    root = ElementTree.fromstring(svg.draw(_section(_DOCUMENT).plot))

    boxes = {box[0].text.split(":")[0]: box.attrib for box in root.iter("rect") if "block" in box.attrib["class"]}
    assert set(boxes) == {"input x", "output of 0 CONV_2D", "output of 1 <ADD> & more", "scratch of 0"}
    first, second = boxes["output of 0 CONV_2D"], boxes["output of 1 <ADD> & more"]
    assert _share(first["width"]) == pytest.approx(2 * _share(second["width"]), abs=0.2)
    assert float(first["y"]) == pytest.approx(float(second["y"]) + float(second["height"]), abs=0.2)
    assert float(second["height"]) == pytest.approx(2 * float(first["height"]), abs=0.2)
    assert "scratch" in boxes["scratch of 0"]["class"]
    assert "3,000 bytes" in root.find("desc").text


def test_every_format_shows_the_plan_and_escapes_its_names():
    page = build_page(_DOCUMENT)

    assert "1 &lt;ADD&gt; &amp; more" in html.render(page)
    assert "<ADD>" not in html.render(page) + markdown.render(page)


@pytest.mark.parametrize("name", ["arena_bytes", "lower_bound_bytes", "steps"])
def test_section_is_left_out_when_a_number_is_missing(name):
    document = copy.deepcopy(_DOCUMENT)
    document["mcu"]["memory"][name] = None

    assert _section(document) is None


def test_odd_blocks_and_steps_do_not_stop_a_report():
    document = copy.deepcopy(_DOCUMENT)
    document["mcu"]["memory"] |= {
        "peak_step": 99,
        "steps": [None, {"name": 3, "needs_bytes": -1}],
        "blocks": [None, {"name": "x"}, {"offset_bytes": 0, "size_bytes": 4, "first": 7, "last": 9}],
    }

    section = _section(document)

    assert ElementTree.fromstring(svg.draw(section.plot)) is not None
    assert [block.first for block in section.plot.blocks] == [1]


def test_document_without_a_microcontroller_has_no_such_section():
    assert _section({}) is None
