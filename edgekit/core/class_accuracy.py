"""Accuracy class by class: how many of each class are right, and which classes a second model answers worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgekit.core.mcnemar import mcnemar
from edgekit.core.paired import drop_interval, pairs
from edgekit.core.rank_tests import holm
from edgekit.core.statistics import Interval, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAMILY_ALPHA = 0.05
"""Error of all classes together: one of them is called worse by chance in at most so many evaluations."""
_BOTH_SIDES_95 = 0.975


@dataclass(frozen=True, kw_only=True)
class ClassDrop:
    """What a second model lost on the samples of one class.

    Attributes:
        reference: share that the first model has right.
        drop: that share less the second model's, with its 95 % interval.
        lost, won: samples that only the first, and only the second, has right.
        p_value: of McNemar's test.
        is_worse: there is a drop, and it stands among the tests of all classes (Holm).
    """

    reference: float
    drop: Interval
    lost: int
    won: int
    p_value: float
    is_worse: bool


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy:
    """Right answers to the samples of one class.

    Attributes:
        label: number of the class.
        name: None where nobody named it.
        correct, n: counts.
        interval: Wilson's at 95 %.
        loss: against a first model; None without one.
    """

    label: int
    name: str | None
    correct: int
    n: int
    interval: Interval
    loss: ClassDrop | None


def class_accuracies(
    right: NDArray[np.bool_],
    labels: NDArray[np.int64],
    *,
    names: Sequence[str] = (),
    reference: NDArray[np.bool_] | None = None,
) -> tuple[ClassAccuracy, ...]:
    """One entry for each class that has samples, in the order of their numbers.

    Args:
        right: whether each answer is right, shape [samples].
        labels: class numbers, shape [samples].
        names: of the classes, empty for none.
        reference: whether a first model's answers are right, shape [samples].
    """
    found = [
        _of_class(label, names[label] if names else None, labels == label, right, reference)
        for label in sorted(set(labels.tolist()))
    ]
    return _corrected(found)


def _of_class(
    label: int,
    name: str | None,
    own: NDArray[np.bool_],
    right: NDArray[np.bool_],
    reference: NDArray[np.bool_] | None,
) -> ClassAccuracy:
    correct, n = int(right[own].sum()), int(own.sum())
    loss = None if reference is None else _loss(reference[own], right[own])
    return ClassAccuracy(label=label, name=name, correct=correct, n=n, interval=wilson(correct, n), loss=loss)


def _loss(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> ClassDrop:
    counts = pairs(first, second)
    lost, won = int(counts.lost), int(counts.won)
    return ClassDrop(
        reference=float(first.mean()),
        drop=drop_interval(counts, confidence=_BOTH_SIDES_95),
        lost=lost,
        won=won,
        p_value=mcnemar(lost, won),
        is_worse=lost > won,
    )


def _corrected(found: list[ClassAccuracy]) -> tuple[ClassAccuracy, ...]:
    losses = [one.loss for one in found if one.loss is not None]
    if len(losses) != len(found):
        return tuple(found)
    stands = holm([loss.p_value for loss in losses], FAMILY_ALPHA)
    return tuple(
        replace(one, loss=replace(loss, is_worse=loss.is_worse and stood))
        for one, loss, stood in zip(found, losses, stands, strict=True)
    )
