"""Which trials go on at a rung: asynchronous successive halving for several goals.

L. Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020 (ASHA), with the order of NSGA-II, rank
of non-domination and then crowding (Deb et al. 2002), where one goal would be sorted by its value. Optuna's own pruners
take a study with one goal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.core.search.pareto import crowding, non_domination_ranks

ETA = 3
"""Of so many trials at a rung one goes on (Li et al. 2018, Hyperband, section 3.6)."""


def promotes(others: Sequence[Sequence[float]], mine: Sequence[float], *, eta: int = ETA) -> bool:
    """Whether a trial goes on beyond a rung.

    The first `eta` - 1 trials at a rung always do, as there is nothing to choose from yet; later ones when they are
    among the best 1 / `eta` of those that came so far, itself counted, or when none of those dominates it: the more
    goals there are, the larger is the share of a front, and a share of 1 / `eta` would cut the front itself. With one
    goal the second rule adds only those that equal the best.

    Args:
        others: costs of the trials that reached the rung before, shape [trials, goals].
        mine: costs of this one.
        eta: at least 2.
    """
    if len(others) + 1 < eta:
        return True
    costs = np.array([*others, mine], dtype=np.float64)
    own = len(costs) - 1
    return bool(non_domination_ranks(costs)[own] == 0) or own in best(costs, len(costs) // eta)


def best(costs: Sequence[Sequence[float]] | np.ndarray[tuple[int, ...], np.dtype[np.float64]], n: int) -> set[int]:
    """Places of the best n points: by rank, and within the last rank that fits in part the least crowded."""
    given = np.asarray(costs, dtype=np.float64)
    ranks = non_domination_ranks(given)
    chosen: set[int] = set()
    for rank in range(int(ranks.max(initial=-1)) + 1):
        members = np.flatnonzero(ranks == rank)
        if len(chosen) + len(members) <= n:
            chosen |= {int(place) for place in members}
            continue
        order = np.argsort(-crowding(given[members]), kind="stable")
        chosen |= {int(place) for place in members[order[: n - len(chosen)]]}
        break
    return chosen
