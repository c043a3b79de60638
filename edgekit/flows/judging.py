"""What a model's outputs are worth on a data set: its accuracy, its metric, and each answer for a paired comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.answers import Answers
from edgekit.core.artifact import TensorSpec
from edgekit.core.bootstrap import Replicates
from edgekit.core.class_accuracy import ClassAccuracy, class_accuracies
from edgekit.core.dataset import Dataset
from edgekit.core.measurement import Accuracy, Provenance, Score
from edgekit.core.metric import TOP_1, Labels, Metric
from edgekit.core.paired import CONFIDENCE
from edgekit.core.paired_verdict import PairedVerdict, paired_verdict
from edgekit.flows.accuracy import accuracy_of, classifies
from edgekit.flows.scoring import replicate, right_answers, score_of_answers, score_of_replicates
from edgekit.flows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """A model on a data set; two of the same set can be held against each other.

    Attributes:
        right: whether each top-1 answer is right, bool of shape [samples]; None without class labels, or for a model
            that does not classify.
        accuracy: that of `right`; None as it.
        answers: by the metric that was asked for; None where there are no labels for it.
        score: that metric with its interval; None for top-1, which is the accuracy.
    """

    right: NDArray[np.bool_] | None
    accuracy: Accuracy | None
    answers: Answers | None
    score: Score | None


def judge_outputs(
    metric: Metric,
    outputs: Sequence[NDArray[Any]],
    specs: Sequence[TensorSpec],
    dataset: Dataset,
    *,
    provenance: Provenance,
    tools: Workspace,
) -> Judged:
    """Judge the outputs of a whole set.

    Args:
        metric: it fits, see `check_metric`.
        outputs: raw, one array a model output, shape [samples, ...].
        specs: the model's outputs.
        dataset: the set, with or without labels.
        provenance: of the machine that computed the outputs.
        tools: for a metric of the user's own.

    Raises:
        InputError: a label is no class of the model, or the user's metric raised.
    """
    right = _top_1(metric, outputs, specs, dataset)
    of_metric, found, score = right, None, None
    if metric.k is None:
        found = replicate(metric, outputs, specs, dataset, tools=tools)
        of_metric, score = None, score_of_replicates(metric, found, provenance=provenance)
    elif not metric.is_top_1:
        of_metric = right_answers(metric, outputs[0], dataset)
        score = score_of_answers(metric, of_metric, provenance=provenance)
    return Judged(
        right=right,
        accuracy=None if right is None else accuracy_of(right, provenance=provenance),
        answers=answers_of(metric, dataset, right=of_metric, replicates=found),
        score=score,
    )


def answers_of(
    metric: Metric, dataset: Dataset, *, right: NDArray[np.bool_] | None, replicates: Replicates | None
) -> Answers | None:
    """The answers by a metric; None where there are neither right ones nor replicates."""
    if right is None and replicates is None:
        return None
    return Answers(metric=metric.name, dataset_digest=dataset.digest, right=right, replicates=replicates)


def verdict_against(
    reference: Judged | None,
    judged: Judged,
    metric: Metric,
    *,
    max_drop: float | None = None,
    confidence: float = CONFIDENCE,
) -> PairedVerdict | None:
    """What was lost against a reference on the same samples; None where one of them was not judged.

    Args:
        reference: the float model.
        judged: the artifact.
        metric: that both were judged by.
        max_drop: the margin; None takes the usual one.
        confidence: one-sided.
    """
    if reference is None or reference.answers is None or judged.answers is None:
        return None
    losses = reference.answers.losses(judged.answers)
    return paired_verdict(losses, metric, max_drop=max_drop, confidence=confidence)


def classes_of(reference: Judged | None, judged: Judged, dataset: Dataset) -> tuple[ClassAccuracy, ...]:
    """The accuracy of each class, with what was lost against the reference; empty where nothing is classified."""
    labels = dataset.class_labels
    if judged.right is None or labels is None:
        return ()
    before = None if reference is None else reference.right
    return class_accuracies(judged.right, labels, names=dataset.class_names, reference=before)


def _top_1(
    metric: Metric, outputs: Sequence[NDArray[Any]], specs: Sequence[TensorSpec], dataset: Dataset
) -> NDArray[np.bool_] | None:
    if metric.labels is not Labels.CLASSES or dataset.class_labels is None or not classifies(specs):
        return None
    return right_answers(TOP_1, outputs[0], dataset)
