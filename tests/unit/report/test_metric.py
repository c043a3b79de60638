"""A metric that is not top-1 on the page: its name and unit everywhere, and the time of kept layers or why not."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from edgekit.report import build_page, markdown
from tests.unit.report.test_golden import GOLDEN


def score(value: float) -> dict[str, Any]:
    return {
        "name": "mae", "value": value, "n": 500, "ci95": [value - 0.015, value + 0.015], "lower_is_better": True,
        "is_share": False, "provenance": "measured",
    }  # fmt: skip


@pytest.fixture
def compression() -> dict[str, Any]:
    return copy.deepcopy(json.loads((GOLDEN / "compression.json").read_text(encoding="utf-8")))


@pytest.fixture
def judged_by_mae(compression: dict[str, Any]) -> dict[str, Any]:
    """A search in which the mean absolute error took the place of the accuracy."""
    compression["accuracy"] = {"float": None, "artifact": None}
    compression["metric"] = {"name": "mae", "is_share": False, "float": score(0.3464), "artifact": score(0.3501)}
    compression["verdicts"] = [
        {"metric": "metric_drop", "value": 0.0037, "limit": 0.02, "outcome": "pass", "reason": "mae, artifact worse"}
    ]
    compression["budget"]["metric"] = {"name": "mae", "is_share": False}
    for place, step in enumerate(compression["steps"]):
        step |= {"accuracy": None, "metric": score(0.34 + place / 100)}
    for entry in (*compression["trials"], *compression["sensitivity"]):
        entry |= {"accuracy": None, "metric": 0.35, "drop": 0.00371, "drop_bound": 0.0052}
    return compression


def test_values_and_losses_carry_the_metrics_name_and_no_points(judged_by_mae):
    page = build_page(judged_by_mae)
    text = markdown.render(page)

    rows = {row.metric: row for section in page.sections for row in section.rows}
    assert rows["artifact on the host"].value == "0.3501 on 500"
    assert rows["artifact on the host"].interval == "0.3351 – 0.3651"
    assert rows["artifact on the host"].note == "lower is better"
    assert "mae lost" in text
    assert "0.00371" in text
    assert "top-1" not in text.lower()
    assert " points" not in text
    assert rows["metric lost: pass"].value == "0.0037 of 0.02"
    assert any(row.metric == "mae: artifact on the host" for row in page.headline)


def test_metric_beside_the_accuracy_is_named_in_its_rows(compression):
    f1 = score(0.96) | {"name": "f1", "is_share": True, "lower_is_better": False}
    compression["budget"]["metric"] = {"name": "f1", "is_share": True}
    compression["metric"] = {"name": "f1", "is_share": True, "float": f1, "artifact": f1}

    (section,) = [section for section in build_page(compression).sections if section.title == "Accuracy"]

    rows = {row.metric: row.value for row in section.rows}
    assert rows["artifact on the host"] == "97.59 % of 540"
    assert rows["artifact on the host, f1"] == "96.00 % on 500"


def test_page_of_values_draws_no_shares(judged_by_mae):
    plots = {section.title: section.plot for section in build_page(judged_by_mae).sections}

    assert plots["Steps"] is None


@pytest.mark.parametrize(
    ("ratio", "reason", "value", "note"),
    [
        (
            {"value": 1.08, "low": 1.05, "high": 1.12, "pairs": 7, "where": "this computer (x86_64)"},
            None,
            "1.08 times plain int8",
            "on this computer (x86_64), not the target's time; median and range of 7 pairs of processes",
        ),
        (None, "it could not be measured", "not measured", "it could not be measured"),
    ],
)
def test_time_of_kept_layers_is_told_with_its_place_or_its_reason(compression, ratio, reason, value, note):
    compression["budget"] |= {"time_ratio": ratio, "time_ratio_reason": reason}

    page = build_page(compression)

    (row,) = [row for section in page.sections for row in section.rows if row.metric == "time of one inference"]
    assert (row.value, row.note) == (value, note)
    assert row.interval == ("1.05 – 1.12" if ratio else "")


def test_run_from_before_time_was_measured_says_nothing_of_it(compression):
    compression["budget"].pop("time_ratio", None)

    assert "time of one inference" not in markdown.render(build_page(compression))
