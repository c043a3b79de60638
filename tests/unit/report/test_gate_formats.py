"""A gate as JUnit XML and as Markdown: what CIs read, and nothing that a name could smuggle in."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from edgekit.report import gate_markdown, junit

HOSTILE = 'x" <script>]]>&|`*_@user #1 \x1b[31m\x00\ud800 www.evil.example'


def check(metric: str, outcome: str, **changes: Any) -> dict[str, Any]:
    facts = {
        "metric": metric, "device": "pi", "value": 1_210_000.0, "baseline": 1_000_000.0, "limit": 1_030_000.0,
        "outcome": outcome, "reason": f"because of {metric}", "kind": "regression", "flags": [], "p_value": None,
        "counts_as": outcome,
    }  # fmt: skip
    return facts | changes


def gate(*checks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A gate's document as far as it is drawn."""
    names = sorted({one["device"] for one in checks})
    document = {
        "schema": "edgekit.gate/1",
        "verdict": "fail",
        "checks": list(checks),
        "model": {"name": "model.edgekit", "sha256": "a" * 64, "size_bytes": 15488},
        "baseline": "main",
        "devices": [
            {"device": name, "provenance": "measured", "seconds": 12.5, "flags": ["VALID"], "comparability": []}
            for name in names
        ],
    }
    return document | changes


MIXED = gate(
    check("latency_ns", "fail"),
    check("instructions", "pass"),
    check("accuracy", "inconclusive", value=0.91, baseline=0.92, limit=0.91),
    check("flash_bytes", "pass", kind="budget", baseline=None),
    check("ram_bytes", "fail", counts_as=None),
    check("latency_ns", "pass", device="pi5", flags=["NOISY"], counts_as="fail"),
)

# Of the schema that Jenkins' xUnit plug-in checks JUnit files with (junit-10.xsd): element -> attributes that it must
# have, attributes that it may have, elements that it may hold.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}
COUNTS = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def parsed(document: dict[str, Any]) -> ET.Element:
    """The XML, after every element was held against the schema and every count against what it counts."""
    root = ET.fromstring(junit.render(document).encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        needed, allowed, children = SCHEMA[element.tag]
        assert needed <= set(element.attrib) <= needed | allowed, element.tag
        assert {child.tag for child in element} <= children, element.tag
        if "time" in element.attrib:
            assert re.fullmatch(r"\d+\.\d{3}", element.attrib["time"])
        for name, counted in COUNTS.items():
            if name in element.attrib:
                assert int(element.attrib[name]) == len(list(element.iter(counted)))
    return root


def test_junit_has_a_suite_a_device_and_a_case_a_check() -> None:
    root = parsed(MIXED)

    suites = {suite.attrib["name"]: suite for suite in root}
    cases = [case.attrib["name"] for case in suites["pi"].iter("testcase")]
    assert list(suites) == ["pi", "pi5"]
    assert cases == [
        "regression: latency_ns", "regression: instructions", "regression: accuracy", "budget: flash_bytes",
        "regression: ram_bytes",
    ]  # fmt: skip
    assert (root.attrib["tests"], root.attrib["failures"]) == ("6", "2")


def test_junit_fails_what_counts_as_failed_and_skips_what_is_open_or_left_out() -> None:
    cases = {
        (case.attrib["classname"], case.attrib["name"]): [child.tag for child in case]
        for case in parsed(MIXED).iter("testcase")
    }

    assert cases["edgekit.gate.pi", "regression: latency_ns"] == ["failure"]
    assert cases["edgekit.gate.pi", "regression: instructions"] == ["system-out"]
    assert cases["edgekit.gate.pi", "regression: accuracy"] == ["skipped"]
    assert cases["edgekit.gate.pi", "regression: ram_bytes"] == ["skipped"]
    assert cases["edgekit.gate.pi5", "regression: latency_ns"] == ["failure"]


def test_junit_failure_tells_figures_and_reason() -> None:
    failure = next(parsed(MIXED).iter("failure"))

    assert failure.attrib == {"type": "fail", "message": "because of latency_ns"}
    assert failure.text == "value 1210000, baseline 1000000, limit 1030000"


def test_junit_of_hostile_names_is_still_xml() -> None:
    root = parsed(gate(check("latency_ns", "fail", device=HOSTILE, reason=HOSTILE)))

    assert "<script>" in root[0].attrib["name"]
    assert "\x1b" not in root[0].attrib["name"]


def test_markdown_shows_what_counts_as_failed_first_with_its_reason() -> None:
    text = gate_markdown.render(MIXED)

    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert text.startswith("## edgekit gate: ❌ fail")
    assert rows[1] == "| latency, median | 1 ms | 1.21 ms | +21.0 % | 1.03 ms | ❌ fail |"
    assert rows[2] == "| accuracy | 92.00 % | 91.00 % | −1.00 points | 91.00 % | ⚠️ inconclusive |"
    assert rows[5].endswith("| ❌ fail, does not count |")
    assert "❌ fail, counts as" not in text
    assert "✅ pass, counts as fail" in text
    assert "- **latency, median**: because of latency_ns" in text


def test_markdown_says_which_device_is_emulated() -> None:
    document = gate(check("latency_ns", "pass"))
    document["devices"][0]["provenance"] = "emulated"

    assert "### pi, EMULATED: its times say nothing of the machine" in gate_markdown.render(document)


def test_markdown_tells_differences_that_block_nothing() -> None:
    document = gate(check("latency_ns", "pass"))
    document["devices"][0]["comparability"] = [{"reason": "the environment was a and is b", "blocks": []}]

    assert "- the environment was a and is b" in gate_markdown.render(document)


def test_markdown_of_hostile_names_holds_no_markup_link_or_mention() -> None:
    document = gate(check("latency_ns", "fail", device=HOSTILE, reason=HOSTILE))
    document["model"]["name"] = document["baseline"] = HOSTILE

    text = gate_markdown.render(document)

    assert "<script>" not in text
    assert "@user" not in text
    assert "#1" not in text
    assert "www.evil" not in text


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("latency_ns", 1_500_000.0, "1.5 ms"),
        ("flash_bytes", 15488.0, "15.1 KiB"),
        ("instructions", 1_234_567.0, "1,234,567"),
        ("accuracy", 0.9741, "97.41 %"),
        ("accuracy_drop", 0.012, "1.20 points"),
        ("metric_drop", 0.0123, "0.0123"),
        ("ram_bytes", None, "–"),
    ],
)
def test_amounts_have_their_unit(metric: str, value: float | None, shown: str) -> None:
    assert gate_markdown.amount(check(metric, "pass", value=value), "value") == shown
