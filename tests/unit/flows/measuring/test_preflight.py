"""Two looks at a machine before it is measured."""

from __future__ import annotations

import pytest

from edgekit.core.measurement import Validity
from edgekit.flows.measuring.preflight import DISK_BYTES, disk, doubts_before, heat
from tests.unit.flows.measuring._raw import look

NEED = 2**30


def test_idle_machine_raises_no_doubt():
    assert doubts_before(look(0), look(3), need_bytes=NEED) == ()


@pytest.mark.parametrize(
    ("changes", "flag", "reason"),
    [
        ({"busy_ticks": 132}, Validity.NOISY, "other work takes 11% of the cores"),
        ({"busy_ticks": None}, Validity.NOISY, "tells no CPU times"),
        ({"all_ticks": 0}, Validity.NOISY, "tells no CPU times"),
        ({"swapped_pages": 8}, Validity.NOISY, "1 pages are swapped"),
        ({"available_bytes": 2**30}, Validity.NOISY, "of memory are free"),
        ({"temperature_c": 60.5}, Validity.THROTTLED, "it starts at"),
        ({"throttled": 0x4}, Validity.THROTTLED, "the firmware says throttled"),
        ({"throttled": 0x10000}, Validity.THROTTLED, "under-voltage"),
    ],
)
def test_machine_that_is_not_fit_raises_a_doubt_with_the_figure(changes, flag, reason):
    (doubt,) = doubts_before(look(0), look(3, **changes), need_bytes=NEED)

    assert doubt.flag is flag
    assert reason in doubt.reason


@pytest.mark.parametrize(
    ("now_c", "reason"),
    [
        (50.5, "it starts at 50 C, its measurements begin at 45 C"),
        (39.0, "it starts at 39 C"),
        (49.0, None),
        (41.0, None),
    ],
)
def test_measurements_of_one_device_begin_alike(now_c, reason):
    doubts = doubts_before(look(0), look(3, temperature_c=now_c), need_bytes=NEED, usual_c=45.0)

    assert [doubt.flag for doubt in doubts] == ([] if reason is None else [Validity.NOISY])
    assert reason is None or reason in doubts[0].reason


def test_wait_cures_what_is_too_hot_and_not_what_is_too_cold():
    assert heat(look(0), look(3, temperature_c=52.0), 45.0)
    assert not heat(look(0), look(3, temperature_c=38.0), 45.0)
    assert not heat(look(0), look(3, temperature_c=52.0))


def test_machine_that_tells_nothing_is_not_taken_for_idle():
    (doubt,) = doubts_before(None, None, need_bytes=NEED)

    assert doubt.flag is Validity.NOISY


def test_machine_that_knows_neither_heat_nor_bits_is_fit():
    first, second = look(0, temperature_c=None, throttled=None), look(3, temperature_c=None, throttled=None)

    assert doubts_before(first, second, need_bytes=NEED) == ()


def test_throttling_of_an_earlier_hour_is_no_doubt():
    assert doubts_before(look(0, throttled=0x50000), look(3, throttled=0x50000), need_bytes=NEED) == ()


def test_disk_that_is_nearly_full_is_a_doubt_with_what_is_free():
    (doubt,) = disk(DISK_BYTES - 1024 * 1024)

    assert doubt.flag is Validity.NOISY
    assert "7.0 MiB of disk are free for the 8.0 MiB" in doubt.reason
    assert disk(DISK_BYTES) == ()
