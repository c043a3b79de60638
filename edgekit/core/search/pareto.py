"""Points with several costs, all to be made small: which are not dominated, in which rank, and what they cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Costs = Sequence[Sequence[float]] | NDArray[np.float64]


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse than `b`, and better somewhere."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def front(costs: Costs) -> tuple[int, ...]:
    """Places of the points that none dominates; equal points are all there.

    Args:
        costs: shape [points, goals], finite.

    Raises:
        ValueError: a cost is not a number.
    """
    ranks = non_domination_ranks(costs)
    return tuple(int(place) for place in np.flatnonzero(ranks == 0))


def non_domination_ranks(costs: Costs) -> NDArray[np.int64]:
    """Rank of each point: 0 for the front, 1 for what is the front without rank 0, and so on.

    The sorting of K. Deb et al., IEEE Transactions on Evolutionary Computation 6:182-197, 2002.

    Args:
        costs: shape [points, goals], finite.

    Raises:
        ValueError: a cost is not a number.
    """
    given = _checked(costs)
    no_worse = np.all(given[:, None, :] <= given[None, :, :], axis=2)
    better: NDArray[np.bool_] = np.asarray(no_worse & np.any(given[:, None, :] < given[None, :, :], axis=2))
    ranks = np.full(len(given), -1, dtype=np.int64)
    rank = 0
    while (left := ranks < 0).any():
        ranks[left & ~better[left].any(axis=0)] = rank
        rank += 1
    return ranks


def crowding(costs: Costs) -> NDArray[np.float64]:
    """How far each point's neighbours are from each other, summed over the goals; infinite at the ends (Deb 2002).

    Args:
        costs: shape [points, goals] of one rank, finite.
    """
    given = _checked(costs)
    distance = np.zeros(len(given))
    for column in given.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if span > 0 and len(order) > 2:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def hypervolume(costs: Costs, reference: Sequence[float]) -> float:
    """The volume that is dominated by points, up to a reference point.

    WFG: L. While, L. Bradstreet and L. Barone, IEEE Transactions on Evolutionary Computation 16:86-95, 2012.

    Args:
        costs: shape [points, goals], finite; what is not better than the reference everywhere adds nothing.
        reference: one value a goal.

    Raises:
        ValueError: a cost is not a number, or the number of goals differs.
    """
    corner = np.asarray(reference, dtype=np.float64)
    if len(costs) == 0:
        return 0.0
    given = _checked(costs)
    if corner.shape != given.shape[1:]:
        raise ValueError(f"{given.shape[1]} goals and a reference of {len(corner)}")
    inside = given[(given < corner).all(axis=1)]
    return float(_volume(_front_of(inside), corner))


def _volume(points: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    if len(points) == 0:
        return 0.0
    if points.shape[1] == 1:
        return float(corner[0] - points.min())
    if points.shape[1] == 2:
        ordered = points[np.argsort(points[:, 0], kind="stable")]
        heights = np.diff(np.concatenate([[corner[1]], ordered[:, 1]])) * -1
        return float(((corner[0] - ordered[:, 0]) * heights).sum())
    ordered = points[np.argsort(-points[:, -1], kind="stable")]
    return sum(_exclusive(ordered, place, corner) for place in range(len(ordered)))


def _exclusive(points: NDArray[np.float64], place: int, corner: NDArray[np.float64]) -> float:
    """What one point covers that the ones behind it do not."""
    point = points[place]
    limited = np.maximum(points[place + 1 :], point)
    return float((corner - point).prod()) - _volume(_front_of(limited), corner)


def _front_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(points) == 0:
        return points
    unique = np.unique(points, axis=0)
    return unique[list(front(unique))]


def _checked(costs: Costs) -> NDArray[np.float64]:
    given = np.asarray(costs, dtype=np.float64)
    if given.ndim != 2:
        given = given.reshape(len(given), -1)
    if not np.isfinite(given).all():
        raise ValueError("a cost is not a finite number")
    return given
