"""Two artifacts in turn: the order, when it is settled, and when there is no comparison at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.measurement import Plan, Validity
from edgekit.core.regression import Change
from edgekit.flows.measuring.pair import measure_pair
from tests.fakes.measuring_device import MeasuringDevice
from tests.unit.flows.measuring.conftest import A, B

BOARD = DeviceEntry(name="board", url="ssh://board")
PLAN = Plan(
    runtime="", mode="gate", processes=8, most_processes=16, warmup=1, samples=20, min_seconds=0.1, sentinel=True
)
JITTER = (1.0, 1.004, 0.998, 1.002, 0.996, 1.001, 0.999, 1.003)


@pytest.fixture
def compare(tools, subject):
    """Measures A against B."""
    return lambda device, plan=PLAN, floor=None: measure_pair(
        device, BOARD, subject(A), subject(B), plan=plan, data=None, floor=floor, tools=tools
    )


def timed(device):
    return "".join(digest[0] for digest, request, _ in device.requests if request.processes)


def test_sides_take_turns_in_blocks_of_four_by_the_seed(compare):
    device, again, other = (MeasuringDevice(spread=JITTER) for _ in range(3))

    compare(device)
    compare(again)
    compare(other, replace(PLAN, seed=5))

    blocks = {timed(device)[at : at + 4] for at in range(0, 16, 4)}
    assert blocks <= {"abba", "baab"}
    assert timed(device) == timed(again) != timed(other)


def test_artifact_that_is_a_fifth_slower_is_found_and_unchanged_ones_are_the_same(compare):
    slower = compare(MeasuringDevice(call_ns={B: 1_200_000}, spread=JITTER))
    same = compare(MeasuringDevice(spread=JITTER))

    assert slower.comparison.change is Change.SLOWER
    assert slower.comparison.ratio == pytest.approx(1.2, rel=0.01)
    assert same.comparison.change is Change.SAME
    assert (len(same.first.runs), len(same.second.runs)) == (8, 8)


def test_processes_are_doubled_while_it_is_not_settled(compare):
    found = compare(MeasuringDevice(spread=(1.0, 1.08, 0.94, 1.05, 1.0, 0.96, 1.02, 1.07)))

    assert found.comparison.change is Change.INCONCLUSIVE
    assert found.comparison.n == (16, 16)


def test_wider_floor_of_the_device_widens_the_margin(compare):
    narrow = compare(MeasuringDevice(call_ns={B: 1_034_000}, spread=JITTER))
    wide = compare(MeasuringDevice(call_ns={B: 1_034_000}, spread=JITTER), floor=0.02)

    assert (narrow.comparison.margin, narrow.comparison.change) == (0.03, Change.SLOWER)
    assert (wide.comparison.margin, wide.comparison.change) == (0.04, Change.SAME)


def test_device_that_scatters_too_much_gives_no_comparison(compare):
    found = compare(MeasuringDevice(spread=(1.0, 1.4)))

    assert found.comparison is None
    assert found.reason.startswith("the first one's processes vary by")
    assert Validity.INVALID in found.first.validity
    assert len(found.first.runs) == 8, "more of them would settle nothing"


def test_disturbed_block_is_measured_again_as_a_whole(compare):
    device = MeasuringDevice(spread=JITTER, sentinels=[1.0] * 4 + [1.0, 1.3])

    found = compare(device)

    assert len(timed(device)) == 16 + 4
    assert found.first.environment["discarded_processes"] == 4


def test_both_sides_are_weighed_and_the_device_is_let_go_at_the_end(compare):
    device = MeasuringDevice(spread=JITTER)

    found = compare(device)

    assert len(found.first.memories) == len(found.second.memories) == 3
    assert [(digest[0], request.hold) for digest, request, _ in device.requests[-2:]] == [("a", True), ("b", False)]


def test_brief_plan_takes_turns_too_and_lets_go_of_the_device(compare, waits):
    device = MeasuringDevice(spread=JITTER)

    found = compare(device, replace(PLAN, mode="brief", sentinel=False, processes=2, most_processes=None))

    assert len(timed(device)) == 4
    assert len(found.second.memories) == 3
    assert not device.is_held
    assert waits == []


def test_cold_loads_are_shared_out_evenly_within_a_block(compare):
    found = compare(MeasuringDevice(spread=JITTER))

    assert [run.cold for run in found.first.runs] == [True, None] * 4
    assert [run.cold for run in found.second.runs] == [True, None] * 4
