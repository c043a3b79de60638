"""Whether a model's outputs and a data set's labels are what a metric takes, told before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.detection import NO_BOX
from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError
from edgekit.core.metric import AUC, MAP, MAP50, MIOU, Labels, Metric
from edgekit.core.segmentation import VOID
from edgekit.data import check_labels
from edgekit.flows.accuracy import classifies

_OWN_FUNCTION = "take a function of your own, package.module:function; it gets all of them"
_BOX_OUTPUTS = (
    "it takes one output of [samples, places, 6] (y_min, x_min, y_max, x_max, score, class), or the four of "
    "TFLite_Detection_PostProcess; else a function of your own, package.module:function"
)


def check_fit(metric: Metric, outputs: Sequence[TensorSpec], dataset: Dataset, labels: NDArray[Any]) -> None:
    """Refuse a metric that outputs or labels do not go with; one of the user's own takes anything.

    Args:
        metric: not top-1.
        outputs: of the model.
        dataset: for messages.
        labels: of the data set.

    Raises:
        InputError: the labels do not fit.
        UnsupportedError: the model has no such outputs.
        ConfigurationError: top-k with as many classes as the model has.
    """
    if metric.name in (MAP, MAP50):
        _check_boxes(metric, outputs, dataset, labels)
    elif metric.name == MIOU:
        _check_maps(metric, outputs, dataset, labels)
    elif metric.labels is Labels.CLASSES:
        _check_classes(metric, outputs, dataset)
    elif metric.labels is Labels.VALUES:
        _check_values(metric, outputs, dataset, labels)


def _check_classes(metric: Metric, outputs: Sequence[TensorSpec], dataset: Dataset) -> None:
    single = metric.name == AUC and len(outputs) == 1 and all(size == 1 for size in outputs[0].shape[1:])
    if not classifies(outputs) and not single:
        raise UnsupportedError(
            f"the metric {metric.name} needs a classifier: {_shapes(outputs)} are not the scores of at least two "
            "classes",
            hint="take --metric mae for a model that answers with values, or a function of your own",
        )
    classes = 2 if single else outputs[0].shape[-1]
    if dataset.class_labels is None:
        raise InputError(f"the metric {metric.name} needs class numbers as labels", hint="store them as int64")
    check_labels(dataset, classes)
    if metric.name == AUC and dataset.classes == 1:
        raise InputError(
            f"the metric {metric.name} tells classes apart, and {dataset.name} has one class only",
            hint="give samples of at least two classes",
        )
    if metric.k is not None and metric.k >= classes:
        raise ConfigurationError(
            f"the metric {metric.name} is always 100 % for a model of {classes} classes",
            hint=f"take a k below {classes}",
        )


def _check_values(metric: Metric, outputs: Sequence[TensorSpec], dataset: Dataset, labels: NDArray[Any]) -> None:
    if len(outputs) != 1:
        raise UnsupportedError(
            f"the metric {metric.name} is of one output, and the model has {len(outputs)}", hint=_OWN_FUNCTION
        )
    have, want = ([size for size in shape[1:] if size != 1] for shape in (labels.shape, outputs[0].shape))
    if not _fits(have, want):
        raise InputError(
            f"labels of {dataset.name} have the shape {list(labels.shape)}, and the model answers with "
            f"{list(outputs[0].shape)}",
            hint=f"the metric {metric.name} needs one value for each that the model answers with; "
            "for class numbers take top1, top5 or f1",
        )


def _check_boxes(metric: Metric, outputs: Sequence[TensorSpec], dataset: Dataset, labels: NDArray[Any]) -> None:
    shapes = [spec.shape[1:] for spec in outputs]
    single = len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] == 6
    four = len(shapes) == 4 and len(shapes[0]) == 2 and shapes[0][1] == 4 and len(shapes[1]) == len(shapes[2]) == 1
    if not single and not four:
        raise UnsupportedError(f"the metric {metric.name} needs boxes, not {_shapes(outputs)}", hint=_BOX_OUTPUTS)
    if labels.ndim != 3 or labels.shape[2] != 5:
        raise InputError(
            f"labels of {dataset.name} have the shape {list(labels.shape)}, not [samples, boxes, 5]",
            hint=f"a row is y_min, x_min, y_max, x_max, class; fill up with rows of the class {NO_BOX}",
        )
    kinds = labels[..., 4]
    if (kinds != np.floor(kinds)).any() or (kinds < NO_BOX).any() or (kinds == NO_BOX).all():
        raise InputError(
            f"the last column of the labels of {dataset.name} holds no classes",
            hint=f"number them from 0; {NO_BOX} is a row without a box",
        )


def _check_maps(metric: Metric, outputs: Sequence[TensorSpec], dataset: Dataset, labels: NDArray[Any]) -> None:
    shape = outputs[0].shape
    if len(outputs) != 1 or len(shape) not in (3, 4):
        raise UnsupportedError(
            f"the metric {metric.name} needs one output of [samples, height, width, classes], not {_shapes(outputs)}",
            hint=_OWN_FUNCTION,
        )
    has_scores = shape[3:] not in ((), (1,))
    if not has_scores and (outputs[0].scale is not None or np.dtype(outputs[0].dtype).kind not in "iu"):
        raise UnsupportedError(
            f"the metric {metric.name} needs scores of at least two classes, not one value a pixel", hint=_OWN_FUNCTION
        )
    if labels.dtype != np.int64 or labels.ndim != 3 or not _fits(labels.shape[1:], shape[1:3]):
        raise InputError(
            f"labels of {dataset.name} are {labels.dtype} of the shape {list(labels.shape)}, and the model answers "
            f"with {list(shape)}",
            hint=f"store one class number a pixel as integers, {VOID} where none counts",
        )
    classes = shape[3] if has_scores else VOID
    wrong = (labels != VOID) & ((labels < 0) | (labels >= classes))
    if wrong.any():
        raise InputError(
            f"{dataset.name} has a pixel of the class {labels[wrong][0]}, and the model has {classes} classes",
            hint=f"number the classes from 0; {VOID} is a pixel that does not count",
        )


def _fits(found: Sequence[int], declared: Sequence[int]) -> bool:
    """Whether sizes are the declared ones; -1 is an axis that may have any size."""
    return len(found) == len(declared) and all(b in (-1, a) for a, b in zip(found, declared, strict=True))


def _shapes(outputs: Sequence[TensorSpec]) -> str:
    return f"outputs of shape {', '.join(str(list(spec.shape)) for spec in outputs)}"
