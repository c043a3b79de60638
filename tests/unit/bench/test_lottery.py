"""Rows of the lottery benchmark: means with their intervals, and a difference that is taken seed by seed."""

from __future__ import annotations

import pytest

from benchmarks._missing import CannotRun
from benchmarks.lottery import Lottery, Pair, figures, interval, measure


def test_interval_is_that_of_students_t() -> None:
    assert interval([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2.776 * 1.5811388 / 5**0.5)


def test_row_has_both_means_and_their_paired_difference() -> None:
    pair = Pair(sparsity=0.97, rewound=(960, 940, 950), control=(950, 930, 940), n=1000)

    (row,) = figures(Lottery(pairs=(pair,)))

    assert row.value == "95.00 ± 2.48 %, 94.00 ± 2.48 %, 1.00 ± 0.00 points"
    assert "97% zeros" in row.what
    assert "3 seeds" in row.note


@pytest.mark.parametrize("seeds", [1, 11])
def test_number_of_seeds_without_an_interval_is_refused(seeds: int) -> None:
    with pytest.raises(CannotRun):
        measure(seeds)
