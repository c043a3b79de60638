"""What the names of the modes promise."""

from __future__ import annotations

import math

import pytest

from edgekit.core.errors import UsageError
from edgekit.core.measurement import Plan
from edgekit.core.statistics import PERCENTILE_MINIMUM
from edgekit.flows.measuring.modes import MODES, plan_for


def test_brief_is_what_a_deploy_has_always_done():
    assert plan_for("brief") == Plan(runtime="", timeout_s=300.0)
    assert plan_for("brief").is_brief


@pytest.mark.parametrize("mode", MODES[1:])
def test_every_other_mode_guards_itself(mode):
    plan = plan_for(mode)

    assert plan.mode == mode
    assert plan.sentinel
    assert not plan.is_brief


@pytest.mark.parametrize(
    ("mode", "processes", "seconds", "calls"),
    [
        ("quick", 5, 10, 500),
        ("default", 10, 30, 1000),
        ("gate", 20, 30, 1000),
        ("mlperf-tiny", 5, 50, 50),
        ("mobile", 5, 60, 1024),
        ("sustained", 1, 600, 100),
    ],
)
def test_modes_measure_as_long_as_their_names_say(mode, processes, seconds, calls):
    plan = plan_for(mode)

    assert plan.processes == processes
    assert plan.processes * plan.min_seconds >= seconds
    assert plan.processes * plan.samples >= calls


@pytest.mark.parametrize("percent", [99.0, 99.9])
def test_tail_has_calls_enough_for_its_percentile_and_batches_none(percent):
    plan = plan_for("tail", tail=percent)

    assert plan.processes * plan.samples >= PERCENTILE_MINIMUM[percent]
    assert plan.batch_ns is None


def test_sustained_leaves_its_process_time_enough():
    plan = plan_for("sustained", seconds=1800)

    assert plan.min_seconds == 1800
    assert plan.timeout_s > 1800
    assert plan.window_s is not None
    assert math.isfinite(plan.window_s)


def test_unknown_mode_and_percentile_are_named():
    with pytest.raises(UsageError, match="no mode 'fast'"):
        plan_for("fast")
    with pytest.raises(UsageError, match="98"):
        plan_for("tail", tail=98.0)
