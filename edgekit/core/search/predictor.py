"""A device's cost learned from what was measured on it so far, with an error bar.

Ridge regression on the logarithm of the cost over standardised logarithms of the features, in closed form; the penalty
is the one of a list whose leave-one-out error is least, which the closed form gives without a second fit (T. Hastie,
R. Tibshirani and J. Friedman, The Elements of Statistical Learning, 2nd edition, 7.10 and 3.4.1). The interval is that
of a new observation: the leave-one-out residuals' deviation, widened by the point's leverage, with Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edgekit.core.search.pareto import dominates

LEAST_POINTS = 8
"""Measurements before a prediction is believed."""

_LEAST_SPREAD = 1e-9
"""A feature that varies by less is a constant with rounding errors."""

_LARGEST_LOG = 700.0
"""exp() of more is no double; who knows so little has an interval without an end."""

_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a device is expected to give.

    Attributes:
        value: the median expected.
        low, high: within which a new measurement lies with the predictor's confidence.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A fitted predictor; see `fit`.

    Attributes:
        error: typical relative error on measurements that were left out, e.g. 0.1 for 10 %.
        points: measurements that it knows.
    """

    error: float
    points: int
    _mean: NDArray[np.float64]
    _scale: NDArray[np.float64]
    _weights: NDArray[np.float64]
    _inverse: NDArray[np.float64]
    _deviation: float
    _quantile: float

    def predict(self, features: Sequence[float]) -> Prediction:
        """The cost of a point.

        Args:
            features: as many as were fitted, none negative.
        """
        row = np.concatenate([[1.0], (_logs([features])[0] - self._mean) / self._scale])
        centre = float(row @ self._weights)
        width = self._quantile * self._deviation * math.sqrt(1.0 + float(row @ self._inverse @ row))
        return Prediction(value=_exp(centre), low=_exp(centre - width), high=_exp(centre + width))


def fit(features: Sequence[Sequence[float]], costs: Sequence[float], *, confidence: float = 0.95) -> Predictor | None:
    """Learn a cost.

    Args:
        features: shape [points, features], none negative: multiply-accumulates, bytes, operators of each kind, ...
        costs: positive, one a point: nanoseconds or instructions.
        confidence: of the interval, two-sided.

    Returns:
        None with fewer than `LEAST_POINTS` points.

    Raises:
        ValueError: a cost is not positive, or a feature is negative.
    """
    if len(costs) < LEAST_POINTS:
        return None
    targets = np.asarray(costs, dtype=np.float64)
    if not (np.isfinite(targets).all() and (targets > 0).all()):
        raise ValueError("costs are positive numbers")
    logs, goals = _logs(features), np.log(targets)
    mean, spread = logs.mean(axis=0), logs.std(axis=0)
    scale = np.where(spread > _LEAST_SPREAD, spread, 1.0)
    rows = np.concatenate([np.ones((len(logs), 1)), (logs - mean) / scale], axis=1)
    found = min((_ridge(rows, goals, penalty) for penalty in _PENALTIES), key=lambda each: each[0])
    _, weights, inverse, residuals, freedom = found
    deviation = math.sqrt(float((residuals**2).mean()))
    return Predictor(
        error=math.expm1(float(np.median(np.abs(residuals)))),
        points=len(targets),
        _mean=mean,
        _scale=scale,
        _weights=weights,
        _inverse=inverse,
        _deviation=deviation,
        _quantile=float(stats.t.ppf(0.5 + confidence / 2, df=freedom)),
    )


def can_reach_front(costs: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
    """Whether a point could still be in the front.

    Args:
        costs: what is known for certain, and of a predicted cost the lower end of its interval.
        others: costs of the front so far, all measured.
    """
    return not any(dominates(other, costs) or tuple(other) == tuple(costs) for other in others)


def _ridge(
    rows: NDArray[np.float64], goals: NDArray[np.float64], penalty: float
) -> tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Leave-one-out error, weights, the matrix of leverages, leave-one-out residuals, degrees of freedom."""
    punish = np.full(rows.shape[1], penalty)
    punish[0] = 0.0  # not the mean
    inverse = np.asarray(np.linalg.pinv(rows.T @ rows + np.diag(punish)), dtype=np.float64)
    weights: NDArray[np.float64] = inverse @ rows.T @ goals
    leverage = np.clip(np.einsum("ij,jk,ik->i", rows, inverse, rows), 0.0, 0.99)
    residuals: NDArray[np.float64] = (goals - rows @ weights) / (1.0 - leverage)
    freedom = max(1.0, len(goals) - float(leverage.sum()))
    return float((residuals**2).mean()), weights, inverse, residuals, freedom


def _exp(log: float) -> float:
    return math.exp(log) if log <= _LARGEST_LOG else math.inf


def _logs(features: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    given = np.asarray(features, dtype=np.float64)
    if not np.isfinite(given).all() or (given < 0).any():
        raise ValueError("features are numbers of 0 or more")
    return np.log1p(given)
