"""Pages of measurements, comparisons, gates and histories: what they say first, and no figure without its flags."""

from __future__ import annotations

import copy
import io
import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table as RichTable

from edgekit.report import ReportPage, build_page, html, markdown, svg, table
from edgekit.report._page import AmountPlot, CurvePlot, PointPlot, Row, Section, TrendPlot
from tests.unit.report.conftest import GOLDEN
from tests.unit.report.documents import ALL, COMPARE, GATE, HISTORY, PROFILE, RUN, RUNS
from tests.unit.report.test_formats import ANYTHING, _all_paths, _poisoned, _replaced


def section(page: ReportPage, start: str) -> Section:
    return next(section for section in page.sections if section.title.startswith(start))


def row(page: ReportPage, start: str, metric: str) -> Row:
    return next(row for row in section(page, start).rows if row.metric.startswith(metric))


@pytest.mark.parametrize("name", [*ALL, "golden/run", "golden/compression"])
def test_no_figure_goes_without_its_flags(name):
    golden = GOLDEN / f"{name.removeprefix('golden/')}.json"
    page = build_page(ALL[name] if name in ALL else json.loads(golden.read_text(encoding="utf-8")))

    bare = [
        f"{part.title}: {each.metric}"
        for part in page.sections
        for each in part.rows
        if re.search(r"\d", each.value) and not (each.provenance or each.validity)
    ]
    drawn = [part.title for part in page.sections if part.plot is not None and not part.marks]
    bare = [each for each in bare if not each.startswith("Deployment: ")]  # names and digests
    assert bare == []
    assert drawn == ([section(page, "vww_96").title] if name == "history" else [])  # there each dot has its own


def test_every_row_of_a_disturbed_run_says_so():
    page = build_page(RUN)

    figures = [each for part in page.sections for each in part.rows if each.value != "not measured"]
    assert len(figures) > 15
    assert {each.validity for each in figures} == {("THROTTLED",)}
    assert all(part.marks == ("measured", "THROTTLED") for part in page.sections)
    captions = re.findall(r"<(?:figcaption|summary)>(.*?)</", html.render(page))
    assert sum("<b>THROTTLED" in caption for caption in captions) == 4


def test_reason_of_a_flag_takes_the_place_of_its_meaning():
    told = build_page(RUN).remarks
    silent = build_page({**RUN, "profile": {**PROFILE, "doubts": []}}).remarks

    assert told == ("THROTTLED: the firmware capped the clock after 80 s",)
    assert silent == ("THROTTLED: heat, the supply or the clock held the machine back.",)


def test_latency_has_intervals_or_says_why_not():
    page = build_page(RUN)

    assert (row(page, "Latency", "median").value, row(page, "Latency", "median").interval) == (
        "4.42 ms",
        "4.38 – 4.47 ms",
    )
    assert row(page, "Latency", "p90").interval == "4.58 – 4.7 ms"
    assert row(page, "Latency", "p95").note.startswith("no interval")
    missing = row(page, "Latency", "p99")
    assert (missing.metric, missing.value) == ("p99, p99.9", "not measured")
    assert missing.note == "needs 662 samples, there are 420"
    assert row(page, "Latency", "load of the model, file not in").interval == "20.2 – 22.1 ms"
    assert row(page, "Latency", "stage: quantize").value == "41 µs"
    assert row(page, "Latency", "instructions").note == "exact, counted by qemu over 20 calls"
    assert row(page, "Memory", "peak").interval == "60.0 – 62.0 MiB (range)"


def test_operators_are_drawn_by_size_and_listed_in_their_order():
    found = section(build_page(RUN), "Operators")

    assert isinstance(found.plot, AmountPlot)
    assert [bar.label for bar in found.plot.bars][:2] == ["1 CONV_2D", "3 ADD"]
    assert found.plot.bars[-1].label == "4 others together"
    assert sum(bar.value for bar in found.plot.bars) == pytest.approx(4.21e6)
    assert found.plot.bars[0].interval == (2.91e6, 3.12e6)
    assert found.table is not None
    assert found.table.rows[1] == ("2", "SOFTMAX", "model/softmax", "10 µs", "9.7 – 10.4 µs", "0.2 %", "1,000,000")


def test_sustained_curve_marks_when_the_machine_gave_in():
    found = section(build_page(RUN), "Sustained")

    assert isinstance(found.plot, CurvePlot)
    assert (found.plot.mark_s, len(found.plot.panels)) == (80.0, 3)
    assert found.rows[0].value == "+25.0 %"
    assert found.rows[1].value == "after 80 s"


def test_sustained_curve_leaves_out_what_the_device_does_not_tell():
    document = copy.deepcopy(RUN)
    document["profile"]["sustained"]["temperature_c"] = [None] * 24

    found = section(build_page(document), "Sustained")

    assert [panel.label for panel in found.plot.panels] == ["median latency", "clock of the fastest core"]
    assert found.note == "The device does not tell: temperature."


def test_comparison_begins_with_its_verdict():
    page = build_page(COMPARE)

    assert page.verdict is not None
    assert (page.verdict.kind, page.verdict.word) == ("fail", "B is slower")
    assert page.verdict.reason.endswith("Flags: EMULATED, NOISY.")
    latency = row(page, "A against B", "latency")
    assert (latency.value, latency.interval) == ("+21.0 %", "+19.0 % – +23.0 %")
    assert (latency.provenance, latency.validity) == ("emulated", ("NOISY",))
    assert row(page, "A against B", "instructions").validity == ("exact",)
    assert row(page, "Accuracy of A and B", "top-1 lost").metric.endswith("inconclusive")
    plot = section(page, "A against B").plot
    assert isinstance(plot, PointPlot)
    assert plot.band == (-0.032, 0.032)


def test_classes_that_became_worse_come_first():
    found = section(build_page(COMPARE), "Classes")

    assert found.rows[0].value == "plane"
    assert found.table is not None
    assert [cells[0] for cells in found.table.rows] == ["plane", "cat", "car"]
    assert found.table.rows[0][-1] == "worse"


def test_drift_names_the_kernels_that_predict_the_device_and_the_first_layer():
    page = build_page(COMPARE)

    assert row(page, "Drift", "kernels here that predict emu-pi4").value == "built-in kernels"
    assert row(page, "Drift", "reference kernels").note == "no BATCH_MATMUL"
    assert row(page, "Drift of layers", "first layer").value == "sequential_1/conv2d_2/Relu"


def test_drift_alone_says_of_what_and_where():
    drift = {**COMPARE["drift"], "artifact_sha256": "ab" * 32}

    assert build_page({"schema": "edgekit.compare/1", "drift": drift}).title == "Drift of abababababab on emu-pi4"


def test_runs_that_must_not_be_compared_say_why():
    page = build_page(RUNS)

    assert page.verdict is not None
    assert (page.verdict.kind, page.verdict.word) == ("open", "not comparable")
    assert row(page, "A against B", "latency").value == "no verdict"
    assert section(page, "Comparable?").table.rows[0][:4] == ("device", "pi", "pi5", "latency")
    assert page.title == "20261122T101010-abcdef02 against 20261121T101010-abcdef01"


def test_gate_shows_what_failed_first_and_what_does_not_count():
    page = build_page(GATE)
    found = section(page, "Checks on emu-pi4")

    assert page.verdict is not None
    assert (page.verdict.kind, page.verdict.reason) == ("fail", "latency, median on emu-pi4")
    assert [each.metric.partition(": ")[2] for each in found.rows] == ["fail", "fail", "inconclusive", "pass"]
    latency = row(page, "Checks", "latency, median")
    assert (latency.value, latency.validity) == ("5.35 ms", ("NOISY",))
    assert latency.note.startswith("limit 4.56 ms; ")
    assert row(page, "Checks", "memory, peak").note.endswith("left out by --fail-on")
    assert isinstance(found.plot, AmountPlot)
    assert all(bar.limit == 1.0 for bar in found.plot.bars)
    assert page.sections[0] == found


def test_history_marks_steps_and_doubtful_runs():
    page = build_page(HISTORY)
    found = section(page, "vww_96 int8 rpi4 on pi4-lab")

    assert page.remarks == ("a step is an alarm, not a verdict",)
    assert isinstance(found.plot, TrendPlot)
    assert found.plot.steps == ((12, "+13.6 %"),)
    assert [point.is_doubtful for point in found.plot.points].index(True) == 4
    assert found.table is not None
    assert found.table.rows[0][0] == "20261120T101010-abcdef20"


@pytest.mark.parametrize("name", ALL)
def test_every_format_draws_hostile_texts_as_text(name):
    page = replace(build_page({**_poisoned(ALL[name]), "schema": ALL[name]["schema"]}), command="")

    text = html.render(page)

    assert "<script" not in text
    assert "<script" not in markdown.render(page)
    for part in page.sections:
        if part.plot is not None:
            ElementTree.fromstring(svg.draw(part.plot))


@pytest.mark.parametrize("name", ALL)
def test_tables_of_a_terminal_fit_80_columns(name):
    page = build_page(ALL[name])

    for drawn in [*map(table.numbers, page.sections), *map(table.detail, page.sections)]:
        if drawn is None:
            continue
        shown = RichTable(*drawn.header, box=None, pad_edge=False)
        for cells in drawn.rows:
            shown.add_row(*cells)
        out = io.StringIO()
        Console(file=out, width=80).print(shown)
        assert all(len(line) <= 80 for line in out.getvalue().splitlines())


def test_terminal_shows_the_worst_of_many_flags():
    flags = ["NOISY", "THROTTLED", "UNSTEADY", "INVALID"]

    (shown, *_) = table.sections(build_page({**RUN, "profile": {**PROFILE, "validity": flags}}))

    assert shown.rows[0][-1] == "measured INVALID +3"


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_part_of_any_document_may_be_anything(data: st.DataObject):
    document = ALL[data.draw(st.sampled_from(sorted(ALL)))]
    path: Any = data.draw(st.sampled_from(_all_paths(document)[1:]))

    page = build_page(_replaced(document, path, data.draw(ANYTHING)))

    assert "<script" not in html.render(page)
    markdown.render(page).encode()
