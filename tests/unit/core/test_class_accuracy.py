"""Accuracy class by class: counts, intervals, and which classes are called worse."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.class_accuracy import class_accuracies
from edgekit.core.mcnemar import mcnemar
from edgekit.core.statistics import wilson


def test_each_class_has_its_share_with_wilsons_interval():
    labels = np.array([0, 0, 0, 2, 2])
    right = np.array([True, True, False, True, True])

    first, second = class_accuracies(right, labels, names=("cat", "dog", "bird"))

    assert [(one.label, one.name, one.correct, one.n) for one in (first, second)] == [
        (0, "cat", 2, 3),
        (2, "bird", 2, 2),
    ]
    assert first.interval == wilson(2, 3)
    assert first.loss is None


def test_class_that_was_lost_alone_is_worse_where_the_whole_is_not():
    labels = np.repeat(np.arange(10), 40)
    before = np.ones(400, bool)
    after = before.copy()
    after[:12] = False  # twelve of class 0
    after[[50, 90]] = False  # one each of classes 1 and 2

    found = class_accuracies(after, labels, reference=before)

    losses = [one.loss for one in found if one.loss is not None]
    assert [loss.is_worse for loss in losses] == [True] + [False] * 9
    assert losses[0].drop.value == pytest.approx(12 / 40)
    assert losses[0].drop.low > 0.1
    assert (losses[0].lost, losses[0].won, losses[0].p_value) == (12, 0, mcnemar(12, 0))
    assert (losses[0].reference, found[0].interval.value) == (1.0, 28 / 40)


def test_drop_that_one_test_of_ten_shows_by_chance_is_not_called_worse():
    labels = np.repeat(np.arange(10), 40)
    before = np.ones(400, bool)
    after = before.copy()
    after[:7] = False  # p = 0.016, above 0.05 / 10

    (first, *_) = class_accuracies(after, labels, reference=before)

    assert first.loss is not None
    assert 0.005 < first.loss.p_value < 0.05
    assert not first.loss.is_worse


def test_class_that_became_better_is_never_worse():
    labels = np.zeros(40, np.int64)
    before = np.zeros(40, bool)

    (found,) = class_accuracies(~before, labels, reference=before)

    assert found.loss is not None
    assert found.loss.p_value < 1e-6
    assert not found.loss.is_worse
