"""The metrics that edgekit has itself: right answers of top-k, and macro F1 and errors with their resamples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.bootstrap import RESAMPLES, Replicates, resamples
from edgekit.core.metric import F1, MAE, RMSE, Metric
from edgekit.core.quantize import argmax_answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OF_RESAMPLE = Callable[["NDArray[Any]"], float]


def in_top_k(scores: NDArray[Any], labels: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Whether each label is among the k highest scores.

    Of equal scores those of the lower classes come first, as for `argmax_answers`, so that k = 1 is its accuracy.

    Args:
        scores: shape [samples, ..., classes], quantized or not; axes of length 1 in between are dropped.
        labels: classes within the model's, shape [samples].
        k: at least 1.

    Returns:
        Bool of shape [samples]; False where a score is NaN.
    """
    if k == 1:
        answers: NDArray[np.bool_] = argmax_answers(scores) == labels
        return answers
    flat = scores.reshape(len(scores), -1)
    own = flat[np.arange(len(flat)), labels][:, np.newaxis]
    before = (flat > own) | ((flat == own) & (np.arange(flat.shape[1]) < labels[:, np.newaxis]))
    right: NDArray[np.bool_] = before.sum(axis=1) < k
    return right & ~np.isnan(flat).any(axis=1) if flat.dtype.kind == "f" else right


def replicates(metric: Metric, outputs: NDArray[Any], labels: NDArray[Any]) -> Replicates:
    """A built-in metric that is no top-k, on the samples and on their resamples.

    Args:
        metric: "f1", "mae", "mse" or "rmse".
        outputs: real values of the model's only output; scores of shape [samples, ..., classes] for f1, else of the
            labels' shape.
        labels: class numbers of shape [samples] for f1, else the right values.
    """
    if metric.name == F1:
        codes, classes = _codes(outputs, labels)
        return _replicates(metric, codes, lambda drawn: macro_f1(drawn, classes))
    n = len(labels)  # a difference of [n, 1] and [n] would be [n, n]
    errors = outputs.reshape(n, -1).astype(np.float64) - labels.reshape(n, -1)
    of_samples = np.abs(errors).mean(axis=1) if metric.name == MAE else np.square(errors).mean(axis=1)
    if metric.name == RMSE:
        return _replicates(metric, of_samples, lambda drawn: math.sqrt(float(drawn.mean())))
    return _replicates(metric, of_samples, lambda drawn: float(drawn.mean()))


def macro_f1(codes: NDArray[np.int64], classes: int) -> float:
    """Mean of the classes' F1: `2 TP / (2 TP + FP + FN)` of each class that a label or an answer names.

    That is the mean of the F1 scores, not the F1 of the mean precision and recall (J. Opitz and S. Burst, "Macro F1 and
    Macro F1", 2019, equation 1).

    Args:
        codes: `label * (classes + 1) + answer` of each sample; the answer `classes` stands for none.
        classes: of the model.
    """
    side = classes + 1
    table = np.bincount(codes, minlength=classes * side).reshape(classes, side)
    right = table.diagonal()
    named = table.sum(axis=1) + table.sum(axis=0)[:classes]
    seen = named > 0
    return float((2 * right[seen] / named[seen]).mean())


def _codes(scores: NDArray[Any], labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    classes = scores.shape[-1]
    answers = argmax_answers(scores)
    return labels * (classes + 1) + np.where(answers < 0, classes, answers), classes


def _replicates(metric: Metric, of_samples: NDArray[Any], of_resample: _OF_RESAMPLE) -> Replicates:
    values = np.empty(RESAMPLES)
    for place, at in enumerate(resamples(len(of_samples))):
        values[place] = of_resample(of_samples[at])
    return Replicates(
        value=of_resample(of_samples),
        values=values,
        n=len(of_samples),
        lower_is_better=bool(metric.lower_is_better),
        is_share=metric.is_share,
    )
