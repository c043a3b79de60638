"""Metrics beside top-1 in the flows: what does not fit is refused, values are judged, the user's function is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.artifact import TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError, EdgekitError, InputError, UnsupportedError, UsageError
from edgekit.core.metric import Metric
from edgekit.flows.check import check_request
from edgekit.flows.compile import compile_model
from edgekit.flows.documents import compilation_document
from edgekit.flows.request import CompileRequest
from edgekit.flows.scoring import check_metric
from tests.models import frameworks
from tests.models.fixtures import framework_models

__all__ = ["framework_models"]

N = 40


def outputs(*shapes: tuple[int, ...]) -> list[TensorSpec]:
    return [TensorSpec(name=str(place), shape=shape, dtype="float32") for place, shape in enumerate(shapes)]


def data(labels: np.ndarray | None) -> Dataset:
    n = 4 if labels is None else len(labels)
    return Dataset(name="d.npz", inputs=(frameworks.samples(n),), labels=labels)


@pytest.mark.parametrize(
    ("metric", "shapes", "labels", "error", "words"),
    [
        ("top3", [(1, 3)], np.arange(3), ConfigurationError, "always 100 %"),
        ("top5", [(1, 3)], np.arange(3), ConfigurationError, "model of 3 classes"),
        ("f1", [(1, 3)], np.arange(4), InputError, "label 3"),
        ("f1", [(1, 3)], np.zeros(4), InputError, "class numbers"),
        ("f1", [(1, 1)], np.zeros(4, np.int64), UnsupportedError, "needs a classifier"),
        ("mae", [(1, 3)], np.zeros((4, 2)), InputError, r"\[4, 2\], and the model answers with \[1, 3\]"),
        ("mae", [(1, 3)], np.zeros(4), InputError, r"shape \[4\], and the model"),
        ("mse", [(1, 1), (1, 1)], np.zeros(4), UnsupportedError, "has 2"),
        ("mine:auc", [(1, 3)], None, InputError, "needs labels"),
        ("auc", [(1, 3)], np.zeros(4, np.int64), InputError, "one class only"),
        ("auc", [(1, 1)], np.arange(3), InputError, "label 2"),
        ("auc", [(1, 7, 1)], np.arange(2), UnsupportedError, "needs a classifier"),
        ("map", [(1, 3)], np.zeros((4, 2, 5)), UnsupportedError, "needs boxes"),
        ("map", [(1, 9, 6)], np.zeros((4, 2, 4)), InputError, r"not \[samples, boxes, 5\]"),
        ("map50", [(1, 9, 6)], np.full((4, 2, 5), 0.5), InputError, "holds no classes"),
        ("map50", [(1, 9, 6)], np.full((4, 2, 5), -1), InputError, "holds no classes"),
        ("miou", [(1, 3)], np.zeros((4, 2, 2), np.int64), UnsupportedError, "needs one output"),
        ("miou", [(1, 2, 2, 1)], np.zeros((4, 2, 2), np.int64), UnsupportedError, "at least two classes"),
        ("miou", [(1, 2, 2, 3)], np.zeros((4, 2, 3), np.int64), InputError, r"are int64 of the shape \[4, 2, 3\]"),
        ("miou", [(1, 2, 2, 3)], np.zeros((4, 2, 2)), InputError, "are float64"),
        ("miou", [(1, 2, 2, 3)], np.full((4, 2, 2), 3), InputError, "a pixel of the class 3"),
    ],
)
def test_metric_that_model_or_labels_cannot_answer_is_refused(metric, shapes, labels, error, words):
    with pytest.raises(error, match=words) as refused:
        check_metric(Metric(name=metric), outputs(*shapes), data(labels))

    assert refused.value.hint


@pytest.mark.parametrize(
    ("metric", "shapes", "labels"),
    [
        ("top1", [(1, 1)], None),
        ("top2", [(1, 3)], np.arange(3)),
        ("mae", [(1, 1)], np.zeros(4)),
        ("mae", [(1, -1, 2)], np.zeros((4, 7, 2))),
        ("mine:auc", [(1, 3), (1, 9)], np.zeros((4, 7))),
        ("auc", [(1, 1)], np.arange(2)),
        ("map", [(1, 9, 6)], np.zeros((4, 2, 5))),
        ("map50", [(1, 9, 4), (1, 9), (1, 9), (1,)], np.zeros((4, 2, 5), np.int64)),
        ("miou", [(1, 2, 2, 3)], np.full((4, 2, 2), 255)),
    ],
)
def test_metric_that_fits_is_not_refused(metric, shapes, labels):
    check_metric(Metric(name=metric), outputs(*shapes), data(labels))


def request(folder: Path, metric: str, labels: np.ndarray | None, **changes: Any) -> CompileRequest:
    return CompileRequest(
        model=folder / "tiny.keras",
        target=load_target("host"),
        recipe=load_recipe("float16"),
        evaluation=None if labels is None else data(labels),
        metric=Metric.parse(metric, folder=folder),
        output=folder / f"{metric.replace(':', '-')}.edgekit",
        **changes,
    )


def test_error_of_values_is_measured_and_its_budget_proven(framework_models: Path) -> None:
    labels = np.random.default_rng(0).random((N, 3))

    made = compile_model(request(framework_models, "mae", labels, max_drop=0.5))

    document = compilation_document(made)
    (verdict,) = document["verdicts"]
    assert document["accuracy"] == {"float": None, "artifact": None}
    assert document["metric"]["name"] == "mae"
    assert document["metric"]["lower_is_better"] is True
    low, high = document["metric"]["artifact"]["ci95"]
    assert 0 < low < document["metric"]["artifact"]["value"] < high
    assert document["steps"][0]["metric"]["value"] == document["metric"]["artifact"]["value"]
    assert (verdict["metric"], verdict["outcome"]) == ("metric_drop", "pass")
    assert abs(verdict["value"]) < 0.01
    assert document["budget"]["metric"] == {"name": "mae", "is_share": False}
    assert document["budget"]["time_ratio_reason"] == "no layer was kept"
    assert document["warnings"] == []


def test_metric_of_the_users_own_decides(framework_models: Path) -> None:
    (framework_models / "edgekit_own_metric.py").write_text(
        "def shares(outputs, labels):\n    assert outputs.dtype == 'float32' and labels.dtype == 'int64'\n"
        "    return float((outputs.argmax(axis=1) == labels).mean())\n"
    )
    labels = np.random.default_rng(0).integers(0, 3, N)

    made = compile_model(request(framework_models, "edgekit_own_metric:shares", labels))
    top_1 = compile_model(request(framework_models, "top1", labels))

    assert made.score_artifact is not None
    assert top_1.accuracy_artifact is not None
    assert made.score_artifact.value == top_1.accuracy_artifact.value
    assert top_1.score_artifact is None


def test_check_says_that_the_metric_fits_or_not(framework_models: Path) -> None:
    labels = np.arange(N) % 3

    document = check_request(request(framework_models, "f1", labels))

    assert "metric f1: fits the model and the labels of d.npz" in document["checked"]
    refusals: list[tuple[str, np.ndarray | None, type[EdgekitError]]] = [
        ("mae", labels.astype(np.float64), InputError),
        ("f1", None, UsageError),
    ]
    for metric, other, error in refusals:
        with pytest.raises(error):
            check_request(request(framework_models, metric, other))
