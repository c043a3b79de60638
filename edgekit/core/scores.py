"""The metrics that edgekit has itself, on the samples and on their resamples; right answers for top-k."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.bootstrap import RESAMPLES, Replicates, resamples
from edgekit.core.detection import detections, map_of_resamples
from edgekit.core.metric import AUC, F1, MAE, MAP, MAP50, MIOU, RMSE, Metric
from edgekit.core.quantize import argmax_answers
from edgekit.core.roc import auc_of_resamples
from edgekit.core.segmentation import VOID, class_maps, miou_of_resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OfResample = Callable[["NDArray[np.int64]"], float]
"""A metric as a function of the positions of the samples that are drawn."""


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


def replicates(metric: Metric, outputs: Sequence[NDArray[Any]], labels: NDArray[Any]) -> Replicates:
    """A built-in metric that is no top-k, on the samples and on their resamples.

    Args:
        metric: one that edgekit has.
        outputs: real values of the model's outputs, as the metric takes them; only the mAPs take more than one.
        labels: as the metric takes them.
    """
    of_resample = _of_resample(metric, outputs, labels)
    values = np.empty(RESAMPLES)
    for place, at in enumerate(resamples(len(labels))):
        values[place] = of_resample(at)
    return Replicates(
        value=of_resample(np.arange(len(labels))),
        values=values,
        n=len(labels),
        lower_is_better=bool(metric.lower_is_better),
        is_share=metric.is_share,
    )


def _of_resample(metric: Metric, outputs: Sequence[NDArray[Any]], labels: NDArray[Any]) -> _OfResample:
    output = outputs[0]
    if metric.name == F1:
        codes, classes = _codes(output, labels)
        return lambda at: macro_f1(codes[at], classes)
    if metric.name == AUC:
        return auc_of_resamples(output, labels)
    if metric.name in (MAP, MAP50):
        return map_of_resamples(detections(outputs), labels, coco=metric.name == MAP)
    if metric.name == MIOU:
        return miou_of_resamples(class_maps(output), labels, _map_classes(output, labels))
    n = len(labels)  # a difference of [n, 1] and [n] would be [n, n]
    errors = output.reshape(n, -1).astype(np.float64) - labels.reshape(n, -1)
    of_samples = np.abs(errors).mean(axis=1) if metric.name == MAE else np.square(errors).mean(axis=1)
    if metric.name == RMSE:
        return lambda at: math.sqrt(float(of_samples[at].mean()))
    return lambda at: float(of_samples[at].mean())


def _map_classes(output: NDArray[Any], labels: NDArray[Any]) -> int:
    """Number of classes: of the scores, or enough for every class that a map names."""
    if output.ndim == 4 and output.shape[-1] > 1:
        return int(output.shape[-1])
    counted = labels[labels != VOID]
    return 1 + int(max(output.max(initial=0), counted.max(initial=0)))


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
