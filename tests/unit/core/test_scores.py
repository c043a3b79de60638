"""The built-in metrics against scikit-learn's, and where theirs leave something open."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn

from edgekit.core.bootstrap import RESAMPLES, resamples
from edgekit.core.metric import Metric
from edgekit.core.quantize import argmax_answers
from edgekit.core.roc import auc_of_resamples
from edgekit.core.scores import in_top_k, replicates
from edgekit.core.segmentation import VOID, class_maps, miou_of_resamples

N, CLASSES = 60, 7


@pytest.fixture
def scores() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, CLASSES)).astype(np.float32)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, CLASSES - 1, N)  # no label names the last class, some answers do


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_scikit_learns(scores, labels, k):
    theirs = sklearn.top_k_accuracy_score(labels, scores, k=k, labels=range(CLASSES))

    assert in_top_k(scores, labels, k).mean() == pytest.approx(theirs)


def test_equal_scores_go_to_the_lower_class_as_for_the_accuracy():
    tied = np.array([[3, 3, 3], [1, 3, 3]], np.int8)

    assert in_top_k(tied, np.array([1, 2]), 2).tolist() == [True, True]
    assert in_top_k(tied, np.array([2, 0]), 2).tolist() == [False, False]
    assert in_top_k(tied, np.array([0, 1]), 1).tolist() == [True, True]


def test_score_that_is_nan_is_no_right_answer(scores, labels):
    scores[3, 0] = np.nan

    assert not in_top_k(scores, labels, 6)[3]


def test_macro_f1_and_its_resamples_are_scikit_learns(scores, labels):
    found = replicates(Metric(name="f1"), [scores], labels)

    answers = argmax_answers(scores)
    at = next(resamples(N))
    assert found.value == pytest.approx(sklearn.f1_score(labels, answers, average="macro"))
    assert found.values[0] == pytest.approx(sklearn.f1_score(labels[at], answers[at], average="macro"))
    assert found.values.shape == (RESAMPLES,)


def test_sample_without_an_answer_counts_against_its_class_only():
    scores = np.array([[1, 0], [np.nan, 0], [0, 1]], np.float32)

    found = replicates(Metric(name="f1"), [scores], np.array([0, 0, 1]))

    assert found.value == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mae", sklearn.mean_absolute_error),
        ("mse", sklearn.mean_squared_error),
        ("rmse", sklearn.root_mean_squared_error),
    ],
)
def test_errors_are_scikit_learns_also_for_labels_without_the_last_axis(scores, name, theirs):
    right = np.random.default_rng(2).normal(size=N)

    found = replicates(Metric(name=name), [scores[:, :1]], right)

    assert found.value == pytest.approx(theirs(right, scores[:, 0].astype(np.float64)))
    assert found.lower_is_better


def softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def test_auc_of_several_classes_and_its_resamples_are_scikit_learns(scores):
    labels = np.random.default_rng(1).integers(0, CLASSES, N)
    probable = softmax(np.round(scores, 1))

    found = replicates(Metric(name="auc"), [probable], labels)

    at = next(resamples(N))
    assert found.value == pytest.approx(sklearn.roc_auc_score(labels, probable, multi_class="ovr"))
    assert found.values[0] == pytest.approx(sklearn.roc_auc_score(labels[at], probable[at], multi_class="ovr"))


def test_auc_of_two_classes_is_the_same_by_one_score_or_two():
    score = np.random.default_rng(0).integers(0, 9, (N, 1)).astype(np.float32)  # many are equal
    labels = np.random.default_rng(1).integers(0, 2, N)

    single = replicates(Metric(name="auc"), [score], labels)
    double = replicates(Metric(name="auc"), [np.hstack([-score, score])], labels)

    assert single.value == pytest.approx(sklearn.roc_auc_score(labels, score[:, 0]))
    assert (double.value, double.values.tolist()) == (single.value, single.values.tolist())


def test_auc_counts_a_nan_as_the_wrong_order_and_a_lone_class_as_chance():
    score = np.array([[0.1], [0.2], [np.nan], [0.9]], np.float32)

    area = auc_of_resamples(score, np.array([0, 0, 0, 1]))

    assert area(np.arange(4)) == pytest.approx(2 / 3)
    assert area(np.array([0, 1, 0])) == 0.5


def test_miou_and_its_resamples_are_scikit_learns_without_void_pixels():
    scores = np.random.default_rng(0).normal(size=(9, 4, 5, 6)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 5, (9, 4, 5))  # no label names the last class, some answers do
    labels[:, 0] = VOID

    found = replicates(Metric(name="miou"), [scores], labels)

    at, answers = next(resamples(9)), scores.argmax(axis=-1)
    for drawn, value in ((np.arange(9), found.value), (at, found.values[0])):
        counts = labels[drawn] != VOID
        theirs = sklearn.jaccard_score(labels[drawn][counts], answers[drawn][counts], average="macro", zero_division=0)
        assert value == pytest.approx(theirs)


def test_miou_takes_class_numbers_as_well_as_scores():
    labels = np.array([[[0, 1], [2, VOID]]])
    answers = np.array([[[0, 1], [1, 7]]], np.float32)  # as integers come back from a tensor without a scale

    found = replicates(Metric(name="miou"), [answers], labels)

    assert found.value == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_pixel_with_a_nan_among_its_scores_has_no_class():
    scores = np.array([[[[1, 0], [np.nan, 0]]]], np.float32)

    assert class_maps(scores).tolist() == [[[0, -1]]]
    assert miou_of_resamples(class_maps(scores), np.zeros((1, 1, 2), np.int64), 2)(np.arange(1)) == 0.5
