"""Fronts, ranks and hypervolume, against definitions that are written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.core.search.pareto import crowding, dominates, front, hypervolume, non_domination_ranks

SMALL = st.integers(0, 5).map(float)


def sets(goals: int, most: int = 8) -> st.SearchStrategy[list[list[float]]]:
    return st.lists(st.lists(SMALL, min_size=goals, max_size=goals), min_size=1, max_size=most)


@given(sets(3))
def test_front_is_what_nobody_dominates(costs):
    expected = tuple(i for i, a in enumerate(costs) if not any(dominates(b, a) for b in costs))

    assert front(costs) == expected


@given(sets(2))
def test_every_rank_is_the_front_of_what_the_ranks_before_leave(costs):
    ranks = non_domination_ranks(costs)

    for rank in range(int(ranks.max()) + 1):
        left = [place for place in range(len(costs)) if ranks[place] >= rank]
        members = {left[place] for place in front([costs[place] for place in left])}
        assert members == {place for place in left if ranks[place] == rank}


@settings(max_examples=60)
@given(st.integers(1, 4).flatmap(lambda goals: sets(goals, most=6)))
def test_hypervolume_counts_the_unit_cells_that_are_dominated(costs):
    goals = len(costs[0])
    corners = np.stack(np.meshgrid(*[np.arange(6.0)] * goals, indexing="ij"), axis=-1).reshape(-1, goals)
    covered = np.zeros(len(corners), dtype=bool)
    for point in costs:
        covered |= (corners >= np.array(point)).all(axis=1)

    assert hypervolume(costs, [6.0] * goals) == pytest.approx(covered.sum())


def test_points_beyond_the_reference_add_nothing():
    assert hypervolume([[0.5, 0.5], [0.1, 1.0], [2.0, 0.0]], [1.0, 1.0]) == pytest.approx(0.25)
    assert hypervolume([], [1.0, 1.0]) == 0.0


def test_what_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        front([[1.0, float("nan")]])
    with pytest.raises(ValueError, match="reference"):
        hypervolume([[1.0, 2.0]], [3.0])


def test_ends_are_the_least_crowded():
    distance = crowding([[0.0, 4.0], [1.0, 3.0], [1.1, 2.9], [4.0, 0.0]])

    assert np.isinf(distance[[0, 3]]).all()
    assert distance[2] > distance[1] > 0  # the wide gap is behind the third
