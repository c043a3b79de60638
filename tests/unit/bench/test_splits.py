"""Splits of processes into two sides, and the published rules that edgekit is held against."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import _splits as splits
from benchmarks._published_rules import edgegate, edgelens

MS = 1_000_000


def calls(median_ms: float, *, tail_ms: float = 0.0) -> np.ndarray:
    """200 calls, of which the last twelve take so much longer."""
    times = np.full(200, median_ms * MS)
    times[-12:] += tail_ms * MS
    return times


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (calls(10.0), False),
        (calls(10.9), False),
        (calls(11.2), True),
        (calls(10.0, tail_ms=2), True),
    ],
)
def test_edgegate_looks_at_the_99th_percentile(second: np.ndarray, said: bool) -> None:
    assert edgegate(calls(10.0), second) is said


def test_edgegate_leaves_half_a_millisecond_alone() -> None:
    assert not edgegate(calls(1.0), calls(1.4))
    assert edgegate(calls(1.0), calls(1.6))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (calls(10.0), False),
        (calls(10.4), False),
        (calls(10.6), True),
        (calls(10.0, tail_ms=1), True),
        (calls(9.0, tail_ms=1), False),
    ],
)
def test_edgelens_looks_at_the_mean_and_the_95th_percentile(second: np.ndarray, said: bool) -> None:
    assert edgelens(calls(10.0), second) is said


def test_single_runs_are_compared_both_ways_round() -> None:
    share = splits.single_runs([calls(10.0), calls(10.0), calls(12.0)], edgelens, 1.0)

    assert (share.slower, share.same, share.of) == (2, 4, 6)


def test_single_runs_look_at_as_many_calls_as_the_published_experiment() -> None:
    longer = np.concatenate([calls(10.0), np.full(400, 50.0 * MS)])

    assert splits.single_runs([calls(10.0), longer], edgelens, 1.0).slower == 0


def test_pooled_runs_hold_all_calls_of_their_processes() -> None:
    runs = [calls(10.0)] * 7 + [calls(20.0)]

    share = splits.pooled_runs(runs, edgelens, 4, 1.0, splits=50)

    assert 0 < share.slower < 50  # whenever the slow one is on the second side


def test_ours_counts_what_was_said_of_the_second_side() -> None:
    medians = (10 * MS * np.exp(np.random.default_rng(0).normal(0, 0.01, 40))).tolist()

    unchanged = splits.ours(medians, 10, 1.0, splits=6, margin=0.03)
    slower = splits.ours(medians, 10, 1.1, splits=6, margin=0.03)
    faster = splits.ours(medians, 10, 1 / 1.1, splits=6, margin=0.03)

    assert (unchanged.slower, unchanged.of) == (0, 6)
    assert unchanged.same >= 5
    assert (slower.slower, slower.same) == (6, 0)
    assert (faster.slower, faster.same) == (0, 6)


def test_share_tells_what_was_left_open() -> None:
    assert str(splits.Share(slower=1, same=10, of=20)) == "5.0% (45% inconclusive)"
    assert str(splits.Share(slower=1, same=19, of=20)) == "5.0%"


def test_medians_are_one_a_process() -> None:
    assert splits.medians_of([calls(10.0), calls(12.0)]) == [10.0 * MS, 12.0 * MS]
