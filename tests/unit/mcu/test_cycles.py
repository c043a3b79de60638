"""The cycle model: bounds in order, classes weighed as the manuals say, nothing made of nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.core.firmware import BoardRun
from edgekit.core.thumb import Kind
from edgekit.mcu.cycles import estimate_cycles
from tests.models.boards import CORES, board

_RUN = BoardRun(outputs=[], emulator="none", mix=dict.fromkeys(Kind, 1000))


@pytest.mark.parametrize("target", CORES)
def test_estimate_lies_within_its_range(target: str):
    cycles = estimate_cycles(_RUN, board(target))

    assert cycles["low"] <= cycles["value"] <= cycles["high"]


def test_loads_and_branches_cost_more_than_additions():
    costs = {
        kind: estimate_cycles(replace(_RUN, mix={kind: 1000}), board())["value"]
        for kind in (Kind.OTHER, Kind.LOAD, Kind.NEXT_LOAD, Kind.BRANCH, Kind.MULTIPLY)
    }

    assert costs[Kind.OTHER] == costs[Kind.MULTIPLY] == 1000
    assert costs[Kind.NEXT_LOAD] < costs[Kind.LOAD] == 2000 < costs[Kind.BRANCH]


def test_nothing_counted_is_nothing_estimated():
    assert estimate_cycles(replace(_RUN, mix={}), board()) == {"value": None, "low": None, "high": None}


def test_core_without_weights_is_refused():
    with pytest.raises(UnsupportedError, match="cortex-m23"):
        estimate_cycles(_RUN, replace(board(), core="cortex-m23"))
