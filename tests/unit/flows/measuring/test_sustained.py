"""The curve of a run over minutes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.core.measurement import Window
from edgekit.flows.measuring.sustained import sustained_document
from tests.unit.flows.measuring._raw import look, measurement, run


def curve(call_ns, **conditions):
    """A run of windows of 5 s with ten calls each, of these times; conditions by the place of a window."""
    windows = tuple(
        Window(samples=10, conditions=look(5 * (place + 1), **conditions.get(f"at_{place}", {})))
        for place in range(len(call_ns))
    )
    samples = tuple(time + jitter for time in call_ns for jitter in range(10))
    kept = measurement([run(before=look(0), samples_ns=samples, windows=windows)])
    return sustained_document(replace(kept, plan=replace(kept.plan, window_s=5.0)))


def test_curve_has_a_point_for_each_window():
    found = curve([1000] * 24)

    assert found["seconds"][:3] == [5.0, 10.0, 15.0]
    assert len(found["median_ns"]) == len(found["temperature_c"]) == len(found["throttled"]) == 24
    assert found["frequency_khz"][0] == 1_500_000


def test_ends_of_half_a_minute_are_held_against_each_other():
    found = curve([1000] * 12 + [1250] * 12)

    assert found["last_over_first"]["value"] == pytest.approx(1.25, rel=0.01)
    low, high = found["last_over_first"]["ci95"]
    assert low <= found["last_over_first"]["value"] <= high


def test_windows_that_end_a_little_late_belong_to_their_half():
    late = {f"at_{place}": {"monotonic_ns": round((5 * (place + 1) + 0.01 * place) * 1e9)} for place in range(4)}

    assert curve([1000, 1000, 1200, 1200], **late)["last_over_first"]["value"] == pytest.approx(1.2, rel=0.01)


def test_run_that_never_gave_in_has_no_time_to_throttle():
    assert curve([1000, 1050] * 12)["time_to_throttle_s"] is None


@pytest.mark.parametrize("spoilt", [{"throttled": 0x4}, {"throttled": 0x40000}, {"frequency_khz": {"1": 1_200_000}}])
def test_time_to_throttle_is_the_end_of_the_window_in_which_the_machine_said_so(spoilt):
    assert curve([1000] * 12, at_7=spoilt)["time_to_throttle_s"] == 40.0


def test_calls_that_take_a_tenth_longer_are_throttled_without_a_word_of_the_firmware():
    assert curve([1000] * 5 + [1200] * 7)["time_to_throttle_s"] == 30.0


def test_short_run_has_no_ratio_and_says_why():
    assert curve([1000] * 2)["last_over_first"]["reason"] == "fewer than two windows at an end"


def test_run_without_windows_has_no_curve():
    assert sustained_document(measurement([run()])) is None
