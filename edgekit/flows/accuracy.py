"""From a model's outputs to statements about it: correct answers with their interval, agreement of two machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.measurement import Accuracy, Provenance
from edgekit.core.quantize import argmax_answers, dequantize
from edgekit.core.statistics import wilson


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike two machines answer for the same artifact and inputs.

    Attributes:
        share: samples with the same answer: the same class, or equal outputs where the model does not classify.
        identical: samples whose outputs are equal bit for bit.
        max_abs_difference: largest finite difference of one output value, in real units.
        n: samples.
    """

    share: float
    identical: int
    max_abs_difference: float
    n: int


def classifies(outputs: Sequence[TensorSpec]) -> bool:
    """Whether a model's only output holds scores of at least two classes for one sample."""
    shape = outputs[0].shape
    middle = [size for size in shape[1:-1] if size != 1]
    return len(outputs) == 1 and len(shape) >= 2 and shape[-1] >= 2 and not middle


def accuracy_of(right: NDArray[np.bool_], *, provenance: Provenance) -> Accuracy:
    """The share of right answers with Wilson's interval.

    Args:
        right: whether each answer is right, shape [samples].
        provenance: of the machine that computed the outputs.
    """
    interval = wilson(int(right.sum()), len(right))
    return Accuracy(correct=int(right.sum()), n=len(right), low=interval.low, high=interval.high, provenance=provenance)


def agreement(
    ours: Sequence[NDArray[Any]], theirs: Sequence[NDArray[Any]], specs: Sequence[TensorSpec], *, classifier: bool
) -> Agreement:
    """Compare all outputs of two machines, sample by sample.

    Args:
        ours, theirs: one array per output, shape [samples, ...].
        specs: the model's outputs.
        classifier: the first output holds scores of classes.
    """
    n = len(ours[0])
    same = np.ones(n, dtype=bool)
    difference = 0.0
    for left, right, spec in zip(ours, theirs, specs, strict=True):
        flat_left, flat_right = left.reshape(n, -1), right.reshape(n, -1)
        same &= (flat_left == flat_right).all(axis=1)
        gap = np.abs(dequantize(flat_left, spec) - dequantize(flat_right, spec))
        difference = max(difference, float(np.max(gap, initial=0.0, where=np.isfinite(gap))))
    answers = argmax_answers(ours[0]) == argmax_answers(theirs[0]) if classifier else same
    return Agreement(share=float(answers.mean()), identical=int(same.sum()), max_abs_difference=difference, n=n)
