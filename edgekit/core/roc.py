"""Area under the ROC curve: how often a sample of a class gets a higher score than one of another class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANCE = 0.5


def auc_of_resamples(scores: NDArray[Any], labels: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], float]:
    """The metric as a function of the samples that are drawn.

    The area is the share of pairs of one sample of the class and one of another that are ordered rightly, equal scores
    counting a half (J. A. Hanley and B. J. McNeil, Radiology 143:29-36, 1982). Two classes have one curve, that of
    class 1 by its score less that of class 0, or by the only score; more have one each against the rest, of which the
    mean is taken. A class that all drawn samples have, or none, has no curve; where no class has one, the value is
    that of chance, 0.5. A sample with a NaN among its scores is ordered wrongly against every other.

    Args:
        scores: real values of shape [samples, ..., classes]; one score a sample stands for class 1 of two.
        labels: class numbers of shape [samples].

    Returns:
        A function of positions, int64 of shape [drawn].
    """
    curves = [_Curve(column, positive) for column, positive in _columns(scores.reshape(len(labels), -1), labels)]

    def of_resample(at: NDArray[np.int64]) -> float:
        weights = np.bincount(at, minlength=len(labels))
        areas = [area for curve in curves if (area := curve.area(weights)) is not None]
        return float(np.mean(areas)) if areas else _CHANCE

    return of_resample


def _columns(scores: NDArray[Any], labels: NDArray[np.int64]) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """The score and the samples of each class that has a curve."""
    real = scores.astype(np.float64)
    broken = np.isnan(real).any(axis=1)
    if scores.shape[1] <= 2:
        named = [(real[:, -1] - (real[:, 0] if scores.shape[1] == 2 else 0.0), labels == 1)]
    else:
        named = [(real[:, place], labels == place) for place in range(scores.shape[1]) if (labels == place).any()]
    return [(np.where(broken, np.where(positive, -np.inf, np.inf), score), positive) for score, positive in named]


class _Curve:
    """One class against the rest, its samples sorted by score once.

    Args:
        score: float64 of shape [samples].
        positive: whether a sample is of the class, bool of shape [samples].
    """

    def __init__(self, score: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
        levels, self._level = np.unique(score, return_inverse=True)
        self._levels = len(levels)
        self._positive = positive

    def area(self, weights: NDArray[np.int64]) -> float | None:
        """The area where each sample counts so often, int64 of shape [samples]; None without two sorts of samples."""
        own = np.bincount(self._level, weights=weights * self._positive, minlength=self._levels)
        rest = np.bincount(self._level, weights=weights * ~self._positive, minlength=self._levels)
        pairs = own.sum() * rest.sum()
        if pairs == 0:
            return None
        below = np.cumsum(rest) - rest
        return float((own * (below + rest / 2)).sum() / pairs)
