"""A gate as JUnit XML: a suite a device, a case a check, for whatever a CI shows its tests with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Signs that XML 1.0 cannot hold, not even escaped."""


def render(document: Mapping[str, Any]) -> str:
    """The document of `edgekit gate` as XML: what counts as failed is a failure, what is open or left out is skipped.

    The form is the one that Jenkins' schema describes and GitLab, GitHub's reporters and others read: counts on
    `testsuites` and on each `testsuite`, a `classname` on each `testcase`.

    Args:
        document: of schema edgekit.gate/1.
    """
    suites = ET.Element("testsuites", name="edgekit gate")
    for device in document["devices"]:
        checks = [check for check in document["checks"] if check["device"] == device["device"]]
        suite = ET.SubElement(suites, "testsuite", name=_text(device["device"]))
        _properties(suite, document, device)
        for check in checks:
            _case(suite, check)
        _count(suite, f"{device['seconds']:.3f}")
    _count(suites, f"{sum(device['seconds'] for device in document['devices']):.3f}")
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _properties(suite: ET.Element, document: Mapping[str, Any], device: Mapping[str, Any]) -> None:
    facts = {
        "model": document["model"]["name"],
        "artifact_sha256": document["model"]["sha256"],
        "baseline": document["baseline"],
        "provenance": device["provenance"],
    }
    kept = ET.SubElement(suite, "properties")
    for name, value in facts.items():
        if value is not None:
            ET.SubElement(kept, "property", name=name, value=_text(value))


def _case(suite: ET.Element, check: Mapping[str, Any]) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=_text(f"edgekit.gate.{check['device']}"), time="0.000",
        name=_text(f"{check['kind']}: {check['metric']}"),
    )  # fmt: skip
    message = _text(check["reason"])
    if check["counts_as"] == "fail":
        failure = ET.SubElement(case, "failure", type=_text(check["outcome"]), message=message)
        failure.text = _text(facts_of(check))
    elif check["counts_as"] != "pass":
        left_out = check["counts_as"] is None
        ET.SubElement(
            case, "skipped", message=f"{check['outcome']}, does not count: {message}" if left_out else message
        )
    else:
        ET.SubElement(case, "system-out").text = _text(f"{facts_of(check)}\n{check['reason']}")


def facts_of(check: Mapping[str, Any]) -> str:
    """Value, baseline and limit in one line, as the numbers that they are."""
    known = [(name, check[name]) for name in ("value", "baseline", "limit") if check[name] is not None]
    flags = f" [{' '.join(check['flags'])}]" if check["flags"] else ""
    return ", ".join(f"{name} {number:.10g}" for name, number in known) + flags


def _count(element: ET.Element, time: str) -> None:
    cases: Sequence[ET.Element] = list(element.iter("testcase"))
    for name, kind in (("failures", "failure"), ("skipped", "skipped")):
        if name == "failures" or element.tag == "testsuite":  # the schema knows no skipped on testsuites
            element.set(name, str(sum(case.find(kind) is not None for case in cases)))
    element.set("tests", str(len(cases)))
    element.set("errors", "0")
    element.set("time", time)


def _text(value: object) -> str:
    return _NOT_XML.sub("?", str(value))
