"""What a device says of itself, and what forbids to deploy to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.measurement import Conditions
from edgekit.flows.fleet.health import health_of
from edgekit.selftest.lab.fake_devices import FakeDevices
from tests.unit.flows.fleet.test_rollout import fleet

NOW_NS = 1_800_000_000 * 10**9
COOL = Conditions(
    monotonic_ns=1, realtime_ns=NOW_NS, cpu_ns=None, busy_ticks=None, all_ticks=None, swapped_pages=None,
    available_bytes=None, load=None, temperature_c=50.0, frequency_khz={}, throttled=0,
)  # fmt: skip


def status(**changes: object):
    with FakeDevices().connect(fleet(1)[0]) as device:
        return replace(device.status(), **changes)


def test_device_with_nothing_against_it_is_well() -> None:
    health = health_of(status(), COOL, NOW_NS)

    assert (health.unwell, health.remarks) == ((), ())


def test_device_that_tells_nothing_is_well() -> None:
    assert health_of(status(), None, NOW_NS).unwell == ()


@pytest.mark.parametrize(
    ("disk", "machine", "says"),
    [
        ({"free_bytes": 1024}, {}, "1,024 B are free"),
        ({}, {"temperature_c": 85.0}, "85 °C"),
        ({}, {"throttled": 0x50001}, "supply voltage"),
    ],
)
def test_full_hot_or_starved_device_gets_nothing(disk: dict, machine: dict, says: str) -> None:
    (because,) = health_of(status(**disk), replace(COOL, **machine), NOW_NS).unwell

    assert says in because


def test_under_voltage_of_the_past_forbids_nothing() -> None:
    assert health_of(status(), replace(COOL, throttled=0x50000), NOW_NS).unwell == ()


@pytest.mark.parametrize("skew_s", [301, -301])
def test_clock_that_is_off_is_told_and_decides_nothing(skew_s: int) -> None:
    health = health_of(status(warnings=("the state was rebuilt",)), COOL, NOW_NS + skew_s * 10**9)

    assert health.unwell == ()
    assert [remark.split(";")[0] for remark in health.remarks] == ["the state was rebuilt", "its clock is 301 s off"]
