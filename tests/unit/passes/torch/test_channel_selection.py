"""Which channels go: shares of groups or of all, thresholds, and what stays in any case."""

from __future__ import annotations

import numpy as np

from edgekit.passes._torch.channel_selection import Limits, below, by_group, by_rank

SCORES = {"a": np.array([4.0, 1.0, 3.0, 2.0]), "b": np.array([10.0, 30.0, 20.0, 0.5])}


def limits(
    *, ratios: dict[str, float] | None = None, min_channels: int = 1, round_to: int = 1, first: int = 4
) -> Limits:
    return Limits(first=dict.fromkeys(SCORES, first), ratios=ratios or {}, min_channels=min_channels, round_to=round_to)


def test_groups_lose_the_same_share_those_with_the_lowest_scores_first():
    assert by_group(SCORES, 0.5, limits()) == {"a": [1, 3], "b": [0, 3]}
    assert by_group(SCORES, 0.7, limits()) == {"a": [1, 3], "b": [0, 3]}
    assert by_group(SCORES, 0.2, limits()) == {}


def test_shares_are_of_what_was_there_first():
    assert by_group(SCORES, 0.5, limits(first=6)) == {"a": [1], "b": [3]}
    assert by_rank(SCORES, 0.5, limits(first=6)) == {"a": [1], "b": [3]}


def test_rank_takes_the_lowest_scores_wherever_they_are():
    assert by_rank(SCORES, 0.5, limits()) == {"a": [1, 2, 3], "b": [3]}
    assert by_rank(SCORES, 0.5, limits(ratios={"b": 0.75})) == {"a": [1, 3], "b": [0, 2, 3]}


def test_thresholds_are_shares_of_the_highest_score():
    assert below(SCORES, 0.5, everywhere=False, limits=limits()) == {"a": [1], "b": [0, 3]}
    assert below(SCORES, 0.1, everywhere=True, limits=limits()) == {"a": [1, 3], "b": [3]}
    assert below(SCORES, 0.5, everywhere=False, limits=limits(ratios={"a": 0.0})) == {"b": [0, 3]}


def test_what_stays_is_a_multiple_and_never_too_little():
    assert by_group(SCORES, 0.99, limits()) == {"a": [1, 2, 3], "b": [0, 2, 3]}
    assert by_group(SCORES, 0.99, limits(min_channels=3)) == {"a": [1], "b": [3]}
    assert by_group(SCORES, 0.75, limits(round_to=2)) == {"a": [1, 3], "b": [0, 3]}
    assert by_group(SCORES, 0.5, limits(round_to=3)) == {"a": [1], "b": [3]}
    assert by_group(SCORES, 0.5, limits(round_to=8)) == {}
