"""What the page says: nothing unmeasured looks measured, nothing from an emulator looks like the device's."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from edgekit.core.statistics import median_interval
from edgekit.report import ReportPage, build_page
from edgekit.report._page import LatencyPlot, Row, Section

if TYPE_CHECKING:
    from edgekit.core.measurement import Measurement


def _section(page: ReportPage, start: str) -> Section:
    return next(section for section in page.sections if section.title.startswith(start))


def _row(page: ReportPage, start: str, metric: str) -> Row:
    return next(row for row in _section(page, start).rows if row.metric == metric)


def test_title_names_the_model_and_the_device(document):
    page = build_page(document)

    assert page.title == "keyword spotting.keras on emu-pi5"
    assert page.subtitle == "target rpi5 · recipe int8 · made 2026-11-02T14:26:30Z"
    assert page.failure is None


def test_headline_has_the_numbers_that_a_reader_looks_for(document):
    page = build_page(document)

    assert [(row.metric, row.value) for row in page.headline] == [
        ("Size: artifact", "52.7 KiB"),
        ("Accuracy: float model", "91.70 % of 1,000"),
        ("Accuracy: artifact on emu-pi5 (emulated)", "91.10 % of 1,000"),
        ("Latency in the emulator (not the device's): median", "3.23 ms"),
        ("Memory in the emulator (not the device's): peak", "56.0 MiB"),
    ]


def test_emulated_latency_is_not_the_devices(document, measurement):
    page = build_page(document, measurement)

    section = _section(page, "Latency")
    assert section.title == "Latency in the emulator (not the device's)"
    assert section.plot is not None
    assert "not the device's" in section.plot.title
    assert section.marks == ("emulated", "NOISY")
    assert {row.provenance for row in section.rows if row.value != "not measured"} == {"emulated"}
    assert any("say nothing about the machine" in remark for remark in page.remarks)
    assert "time for the whole set" not in [row.metric for row in _section(page, "Accuracy").rows]


def test_measured_latency_is_the_devices(document):
    document["profile"] |= {"provenance": "measured", "validity": ["VALID"]}
    document["profile"]["memory"]["provenance"] = "measured"
    document["evaluation"]["provenance"] = "measured"

    page = build_page(document)

    assert _section(page, "Latency").title == "Latency on the device"
    assert _row(page, "Latency", "median").validity == ("VALID",)
    assert _row(page, "Accuracy", "time for the whole set").value == "14.2 s"
    assert page.remarks == ()


def test_percentile_with_too_few_samples_says_why(document):
    row = _row(build_page(document), "Latency", "p99")

    assert (row.value, row.note, row.provenance) == ("not measured", "360 samples, 662 are needed", "")


def test_only_the_median_has_the_interval(document):
    page = build_page(document)

    assert _row(page, "Latency", "median").interval == "3.12 – 3.3 ms"
    assert _row(page, "Latency", "p90").interval == ""


def test_median_of_processes_wins_and_takes_the_interval(document):
    document["profile"]["latency_ns"]["median_of_processes"] = 3_300_000

    page = build_page(document)

    median = _row(page, "Latency", "median")
    assert (median.value, median.interval, median.note) == ("3.3 ms", "3.12 – 3.3 ms", "of the processes' medians")
    assert (_row(page, "Latency", "p50").value, _row(page, "Latency", "p50").interval) == ("3.23 ms", "")


def test_median_of_one_process_has_no_interval_and_says_so(document):
    document["profile"]["latency_ns"] |= {"ci95": None, "median_of_processes": None}

    row = _row(build_page(document), "Latency", "median")

    assert (row.value, row.interval, row.note) == ("3.23 ms", "", "no interval: it takes two processes")


def test_median_that_was_not_measured_has_no_provenance(document):
    document["profile"]["latency_ns"] = {"p50": None, "p99_9": None}

    page = build_page(document)

    for metric in ("median", "p99.9"):
        row = _row(page, "Latency", metric)
        assert (row.value, row.provenance, row.validity) == ("not measured", "", ())


@pytest.mark.parametrize("part", ["profile", "evaluation"])
def test_document_of_one_part_names_the_device_and_the_artifact(document, part: str):
    page = build_page({part: {**document[part], "device": "bench-1", "artifact_sha256": "a" * 64}})

    assert page.title == "run on bench-1"
    assert ("artifact", "a" * 64) in [entry for facts in page.facts for entry in facts.entries]


def test_warnings_are_remarks(document):
    page = build_page({**document, "warnings": ["too few samples", "", 7]})

    assert page.remarks[-1] == "too few samples"


def test_deployment_shows_the_golden_run(document):
    document["deployment"]["golden_max_abs_error"] = 0.00390625

    assert _row(build_page(document), "Deployment", "golden run").value == "0.00391"


def test_every_time_carries_its_flags(document):
    for section in build_page(document).sections:
        if section.title.startswith(("Latency", "Memory")):
            assert all(row.validity == ("NOISY",) for row in section.rows if row.value != "not measured")


def test_measurement_without_flags_is_not_checked(document):
    del document["profile"]["validity"]

    assert _row(build_page(document), "Latency", "p90").validity == ("not checked",)


@pytest.mark.parametrize(
    ("change", "section", "metric", "reason"),
    [
        ({"profile": None, "profile_reason": "--no-profile"}, "Latency", "median", "--no-profile"),
        ({"profile": {"memory": {"peak_rss_bytes": None, "reason": "no /proc"}}}, "Memory", "peak", "no /proc"),
        ({"accuracy": None, "accuracy_reason": "no data"}, "Accuracy", "artifact on the host", "no data"),
        ({"evaluation": None, "evaluation_reason": "no labels"}, "Accuracy", "artifact on emu-pi5", "no labels"),
        ({"evaluation": {"accuracy": None}}, "Accuracy", "artifact on emu-pi5", "no reason given"),
    ],
)
def test_unmeasured_is_never_zero(document, change: dict[str, Any], section: str, metric: str, reason: str):
    row = _row(build_page({**document, **change}), section, metric)

    assert (row.value, row.note) == ("not measured", reason)


def test_zero_that_was_measured_is_shown(document):
    document["deployment"] |= {"bytes_sent": 0, "transferred_bytes": 0, "unchanged": True}

    row = _row(build_page(document), "Deployment", "sent")

    assert (row.value, row.note) == ("0 B", "the device had this bundle already")


def test_accuracy_has_counts_interval_and_change(document):
    page = build_page(document)

    row = _row(page, "Accuracy", "artifact on the host")
    assert (row.value, row.interval, row.note) == ("91.20 % of 1,000", "89.28 – 92.80 %", "912 of 1,000 correct")
    assert _row(page, "Accuracy", "change against the float model").value == "−0.60 points"
    assert _row(page, "Accuracy", "outputs equal bit for bit").value == "987 of 1,000"


def test_compile_document_has_no_device(document):
    for name in ("deployment", "profile", "evaluation"):
        del document[name]

    page = build_page(document)

    assert page.title == "keyword spotting.keras for rpi5"
    assert [section.title for section in page.sections] == ["Size", "Accuracy"]
    assert [row.metric for row in page.headline] == [
        "Size: artifact",
        "Accuracy: float model",
        "Accuracy: artifact on the host",
    ]


@pytest.mark.parametrize(("before", "text"), [(107_872, "2.00 times smaller"), (26_968, "2.00 times larger")])
def test_sizes_are_compared(document, before: int, text: str):
    document["source"]["size_bytes"] = before

    assert _row(build_page(document), "Size", "compared with the model as given").value == text


def test_failure_is_told_with_its_way_out(document):
    document["error"] = {"code": "E_NETWORK", "message": "emu-pi5 is gone", "hint": "is it on?", "details": {}}

    assert build_page(document).failure == "E_NETWORK: emu-pi5 is gone: is it on?"


def test_latency_plot_shows_every_sample_or_counts_it(document, measurement: Measurement):
    plot = _section(build_page(document, measurement), "Latency").plot

    assert isinstance(plot, LatencyPlot)
    samples = [run.samples_ns for run in measurement.runs]
    assert [p.beyond for p in plot.processes] == [sum(time > plot.high_ns for time in times) for times in samples]
    assert all(plot.low_ns <= p.low_ns <= p.quartiles_ns[0] <= p.median_ns for p in plot.processes)
    assert sum(process.beyond for process in plot.processes) > 0
    interval = median_interval([process.median_ns for process in plot.processes])
    assert interval is not None
    assert plot.interval_ns == (interval.low, interval.high)
    assert plot.median_ns == interval.value


def test_latency_plot_of_equal_samples_has_an_axis(document, measurement: Measurement):
    run = copy.copy(measurement.runs[0])
    object.__setattr__(run, "samples_ns", (5, 5, 5))
    object.__setattr__(measurement, "runs", (run,))

    plot = _section(build_page(document, measurement), "Latency").plot

    assert isinstance(plot, LatencyPlot)
    assert plot.high_ns > plot.low_ns
    assert plot.interval_ns is None
    assert (plot.processes[0].median_ns, plot.processes[0].beyond) == (5, 0)


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        (["edgekit", "deploy", "a b.keras"], "edgekit deploy 'a b.keras'"),
        ("edgekit deploy x", "edgekit deploy x"),
        (None, "edgekit deploy 'models/keyword spotting.keras' --target rpi5 --recipe int8 --device emu-pi5"),
    ],
)
def test_command_is_the_recorded_one_or_does_the_same(document, recorded, shown: str):
    document["command"] = recorded

    assert build_page(document).command == shown


def test_facts_name_versions_digests_and_environment(document):
    facts = {each.title: dict(each.entries) for each in build_page(document).facts}

    assert facts["Versions on the host"]["litert-quantizer"] == "0.11.0"
    assert facts["Digests (SHA-256)"]["artifact"] == document["artifact"]["sha256"]
    assert facts["Environment of the measurement"]["before.load_1min"] == "0.31"
    assert facts["Environment of the measurement"]["governor"] == "not known"


def test_empty_document_makes_an_empty_page():
    page = build_page({})

    assert (page.title, page.subtitle, page.command) == ("run", "", "")
    assert page.sections == page.headline == page.facts == page.remarks == ()
