"""Who goes on at a rung."""

from __future__ import annotations

from edgekit.core.search.halving import best, promotes


def test_first_ones_go_on_and_later_ones_only_when_they_are_among_the_best_third():
    assert promotes([], [0.9])
    assert promotes([[0.1]], [0.9])
    assert not promotes([[0.1], [0.2]], [0.9])
    assert promotes([[0.3], [0.2]], [0.1])
    assert promotes([[0.1], [0.5], [0.6], [0.7], [0.8]], [0.2])  # two of six
    assert not promotes([[0.1], [0.15], [0.6], [0.7], [0.8]], [0.2])


def test_what_nothing_dominates_goes_on_however_large_the_front_is():
    front = [[-0.9, 6.0, 60.0], [-0.8, 5.0, 50.0], [-0.7, 4.0, 40.0], [-0.6, 3.0, 30.0], [-0.5, 2.0, 20.0]]

    assert promotes(front, [-0.4, 1.0, 10.0])
    assert promotes(front, [-0.65, 4.5, 35.0])  # in the midst of it, where it is most crowded
    assert not promotes(front, [-0.65, 4.5, 45.0])


def test_what_equals_the_best_goes_on_with_one_goal_and_the_next_best_does_not():
    assert promotes([[0.1], [0.1], [0.1], [0.4]], [0.1])
    assert not promotes([[0.1], [0.1], [0.1], [0.4]], [0.2])


def test_cheap_net_goes_on_beside_an_accurate_one():
    accurate, cheap, neither = [-0.9, 100.0], [-0.5, 1.0], [-0.4, 120.0]

    assert best([accurate, cheap, neither, neither, neither, neither], 2) == {0, 1}


def test_least_crowded_are_taken_where_a_rank_does_not_fit():
    line = [[0.0, 4.0], [1.0, 3.0], [1.1, 2.9], [4.0, 0.0]]

    assert best(line, 2) == {0, 3}
    assert best(line, 3) == {0, 2, 3}
