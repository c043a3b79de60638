"""Metrics by name: what each takes, and what a slip of the pen is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.errors import ConfigurationError
from edgekit.core.metric import TOP_1, Labels, Metric


@pytest.mark.parametrize(
    ("name", "k", "labels", "lower_is_better", "is_share"),
    [
        ("top1", 1, Labels.CLASSES, False, True),
        ("top5", 5, Labels.CLASSES, False, True),
        ("f1", None, Labels.CLASSES, False, True),
        ("auc", None, Labels.CLASSES, False, True),
        ("map", None, Labels.STORED, False, True),
        ("map50", None, Labels.STORED, False, True),
        ("miou", None, Labels.STORED, False, True),
        ("mae", None, Labels.VALUES, True, False),
        ("rmse", None, Labels.VALUES, True, False),
        ("mine.metrics:auc", None, Labels.STORED, None, False),
    ],
)
def test_metric_knows_its_labels_direction_and_unit(name, k, labels, lower_is_better, is_share):
    found = Metric.parse(name)

    assert (found.k, found.labels) == (k, labels)
    assert (found.lower_is_better, found.is_share) == (lower_is_better, is_share)
    assert found.is_top_1 is (name == "top1")


@pytest.mark.parametrize(
    ("text", "hint"),
    [("mea", "did you mean"), ("top-5", "did you mean 'top5'"), ("top0", "did you mean"), ("?", "any k")],
)
def test_unknown_metric_is_answered_with_what_there_is(text, hint):
    with pytest.raises(ConfigurationError, match="there is no metric") as refused:
        Metric.parse(text)

    assert hint in (refused.value.hint or "")


def test_function_is_found_beside_the_file_that_names_it(tmp_path: Path) -> None:
    assert Metric.parse("mine:auc", folder=tmp_path).folder == tmp_path.resolve()


def test_loss_of_a_share_is_told_in_points() -> None:
    assert TOP_1.amount(0.0123) == "1.23 points"
    assert Metric.parse("mae").amount(0.0123) == "0.0123"
