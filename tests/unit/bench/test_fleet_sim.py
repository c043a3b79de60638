"""The simulated fleet: it follows the rules of real rollouts, and is the same each time."""

from __future__ import annotations

import pytest

from benchmarks.fleet_sim import play


def test_played_rollout_names_every_device_and_is_the_same_again() -> None:
    one, again = (play(1, 16, 0.0, devices=300) for _ in range(2))

    assert one == again
    assert sum(one.states.values()) == 300
    assert one.touched == 300
    assert len(one.wave_seconds) == 4
    assert list(one.wave_seconds) == sorted(one.wave_seconds)


def test_more_at_once_is_faster_until_the_slowest_device_counts() -> None:
    slow, fast = play(1, 4, 0.0, devices=300), play(1, 64, 0.0, devices=300)

    assert fast.seconds < slow.seconds / 3


@pytest.mark.parametrize(("share", "most"), [(1.0, 3), (0.5, 140)])
def test_bad_release_is_stopped_early(share: float, most: int) -> None:
    played = play(1, 16, share, devices=1000)

    assert played.touched <= most + 16
    assert played.states["skipped"] >= 1000 - most - 16


def test_uplink_is_shared() -> None:
    few, many = play(1, 10, 0.0, devices=200), play(1, 200, 0.0, devices=200)

    assert many.seconds > 3_000_000 * 200 / 12_500_000, "no faster than the host's own link"
    assert many.seconds < few.seconds
