"""From a model's outputs to a metric that is not top-1: does it fit model and labels, and what is its value."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.bootstrap import Replicates
from edgekit.core.dataset import Dataset
from edgekit.core.errors import InputError, MeasurementError, UnsupportedError, UsageError
from edgekit.core.isolation import DEFAULT_TIMEOUT_S
from edgekit.core.measurement import Provenance, Score
from edgekit.core.metric import Labels, Metric
from edgekit.core.quantize import dequantize
from edgekit.core.scores import in_top_k, replicates
from edgekit.core.statistics import wilson
from edgekit.data import check_labels
from edgekit.flows.metric_fit import check_fit
from edgekit.flows.workspace import Workspace


def check_metric(metric: Metric, outputs: Sequence[TensorSpec], dataset: Dataset) -> None:
    """Refuse a metric that a model or its labels cannot answer, before anything is run.

    Top-1 is never refused here: without labels or classes there is just no accuracy.

    Args:
        metric: what is asked for.
        outputs: of the model.
        dataset: the evaluation set.

    Raises:
        InputError: there are no labels, or they do not fit.
        UnsupportedError: the model has no such outputs.
        ConfigurationError: top-k with as many classes as the model has.
    """
    if metric.is_top_1:
        return
    if dataset.labels is None:
        raise InputError(
            f"the metric {metric.name} needs labels, and {dataset.name} has none", hint="give --eval-data with labels"
        )
    check_fit(metric, outputs, dataset, dataset.labels)


def check_classes(metric: Metric, dataset: Dataset) -> None:
    """Refuse a verdict on samples of one class: what always answers with that class would pass.

    Args:
        metric: what answers are judged by.
        dataset: the evaluation set.

    Raises:
        MeasurementError: the metric counts right classes, and all labels are the same one.
    """
    if metric.labels is Labels.CLASSES and dataset.classes == 1:
        raise MeasurementError(
            f"all samples of {dataset.name} are of one class, which settles no budget of accuracy",
            hint="give samples of each class",
        )


def needs_evaluation(metric: Metric) -> UsageError:
    """What is wrong with a metric and nothing to take it on."""
    return UsageError(f"the metric {metric.name} needs evaluation data", hint="give labelled samples with --eval-data")


def right_answers(metric: Metric, outputs: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_]:
    """Whether each answer is right, for a top-k; bool of shape [samples].

    Raises:
        InputError: a label is no class of the model.
    """
    labels = dataset.class_labels
    assert metric.k is not None
    assert labels is not None
    check_labels(dataset, outputs.shape[-1])
    return in_top_k(outputs, labels, metric.k)


def replicate(
    metric: Metric,
    outputs: Sequence[NDArray[Any]],
    specs: Sequence[TensorSpec],
    dataset: Dataset,
    *,
    tools: Workspace,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Replicates:
    """A metric that is no top-k, on the set and on its resamples.

    Args:
        metric: what is asked for; it fits, see `check_metric`.
        outputs: raw, one array a model output, shape [samples, ...].
        specs: the model's outputs.
        dataset: with labels.
        tools: scratch folder, and the child process for a function of the user's.
        timeout_s: limit for that function, all resamples together.

    Raises:
        InputError: the user's function raised, or gave no finite number.
    """
    assert dataset.labels is not None
    real = [dequantize(array, spec) for array, spec in zip(outputs, specs, strict=True)]
    if not metric.is_function:
        return replicates(metric, real, dataset.labels)
    with tempfile.TemporaryDirectory(prefix="metric-", dir=tools.work) as folder:
        paths = []
        for index, array in enumerate([*real, dataset.labels]):
            paths.append(str(Path(folder) / f"{index}.npy"))
            np.save(paths[-1], array, allow_pickle=False)
        params = {"function": metric.name, "folder": str(metric.folder), "outputs": paths[:-1], "labels": paths[-1]}
        try:
            found = tools.user_isolate.call(
                "edgekit.data._user_metric:score",
                params,
                what=f"the metric {metric.name}",
                timeout_s=timeout_s,
                on_event=tools.on_event,
            )
        except UnsupportedError as cause:  # the child died, which is the user's code's doing here
            raise InputError(cause.message, hint="call it in Python from its folder", **cause.details) from cause
    return Replicates(
        value=found["value"],
        values=np.array(found["replicates"], dtype=np.float64),
        n=len(dataset),
        lower_is_better=found["lower_is_better"],
        is_share=metric.is_share,
    )


def score_of_answers(metric: Metric, right: NDArray[np.bool_], *, provenance: Provenance) -> Score:
    """A top-k with Wilson's interval."""
    interval = wilson(int(right.sum()), len(right))
    return Score(
        metric=metric.name, value=interval.value, n=len(right), low=interval.low, high=interval.high,
        lower_is_better=False, is_share=True, provenance=provenance,
    )  # fmt: skip


def score_of_replicates(metric: Metric, found: Replicates, *, provenance: Provenance) -> Score:
    """Any other metric with the percentiles of its resamples."""
    interval = found.interval()
    return Score(
        metric=metric.name, value=found.value, n=found.n, low=interval.low, high=interval.high,
        lower_is_better=found.lower_is_better, is_share=found.is_share, provenance=provenance,
    )  # fmt: skip
