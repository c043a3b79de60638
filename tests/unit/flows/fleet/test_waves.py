"""Waves: what people write, how many devices that is, and who comes when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import UsageError
from edgekit.flows.fleet.waves import USUAL, Amount, divided, ordered, parse_waves, wave_ends


def entries(count: int, target: str = "rpi4", prefix: str = "pi") -> list[DeviceEntry]:
    return [DeviceEntry(name=f"{prefix}-{n:04}", url="local://", target=target) for n in range(count)]


@pytest.mark.parametrize(
    ("total", "ends"), [(1, (1, 1, 1, 1)), (5, (1, 1, 3, 5)), (100, (1, 10, 50, 100)), (101, (1, 11, 51, 101))]
)
def test_usual_waves_are_one_a_tenth_half_and_all(total: int, ends: tuple[int, ...]) -> None:
    assert wave_ends(USUAL, total) == ends


def test_what_is_written_is_what_is_printed() -> None:
    assert [str(amount) for amount in parse_waves("1, 2.5%,50%,100%")] == ["1", "2.5%", "50%", "100%"]


def test_last_wave_is_everything_even_if_nobody_says_so() -> None:
    assert wave_ends(parse_waves("3"), 10) == (3, 10)


@pytest.mark.parametrize("text", ["", "x", "0", "0%", "-1", "101%", "10%,5%", "5,5", "1,,2", "1;2", "nan%", "1e3"])
def test_waves_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_waves(text)


@pytest.mark.parametrize(("text", "total", "allowed"), [("5%", 100, 5), ("5%", 19, 0), ("2", 100, 2), ("0", 100, 0)])
def test_failures_that_are_allowed_are_rounded_down(text: str, total: int, allowed: int) -> None:
    assert Amount.parse(text, "--max-failures").at_most_of(total) == allowed


def test_devices_with_the_label_canary_come_first() -> None:
    plain, canary = entries(3), DeviceEntry(name="zz", url="local://", target="rpi4", labels=("canary",))

    assert ordered([*plain, canary])[0] is canary


def test_each_kind_of_machine_has_its_canary() -> None:
    fleet = ordered([*entries(20), *entries(10, "rpi3", "old")])

    waves = divided(fleet, USUAL)

    assert [len(wave) for wave in waves] == [2, 1, 12, 15]
    assert {entry.target for entry in waves[0]} == {"rpi3", "rpi4"}


@given(st.integers(1, 300), st.integers(0, 300), st.sampled_from(["1,10%,50%,100%", "100%", "3", "1%,2%,99.9%"]))
def test_every_device_is_in_one_wave(count: int, others: int, text: str) -> None:
    fleet = [*entries(count), *entries(others, "rpi3", "old")]

    waves = divided(fleet, parse_waves(text))

    assert sorted(entry.name for wave in waves for entry in wave) == sorted(entry.name for entry in fleet)
    assert all(waves)
