"""Devices that trials share, and the count of what goes wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.core.errors import DeviceError, InterruptedByUserError, NetworkError, StorageError
from edgekit.flows.searching.devices import DeviceBook, DevicePool, Use


def never() -> bool:
    return False


def after(looks: int) -> Callable[[], bool]:
    left = iter(range(looks))
    return lambda: next(left, None) is None


def test_two_workers_hold_different_devices_and_a_third_waits(tmp_path: Path) -> None:
    pools = [DevicePool(tmp_path, ("a", "b"), offset=offset) for offset in range(3)]

    with (
        pools[0].hold(never) as first,
        pools[1].hold(never) as second,
        pytest.raises(InterruptedByUserError),
        pools[2].hold(after(2)),
    ):
        pass

    assert {first, second} == {"a", "b"}
    with pools[2].hold(after(1)) as third:
        assert third == "a"


def test_worker_takes_the_devices_in_turn(tmp_path: Path) -> None:
    pool, held = DevicePool(tmp_path, ("a", "b", "c")), []

    for _ in range(4):
        with pool.hold(never) as device:
            held.append(device)

    assert held == ["a", "b", "c", "a"]


def test_uses_are_told_once_with_their_faults(tmp_path: Path) -> None:
    pool = DevicePool(tmp_path, ("a",))
    with pool.hold(never):
        pass

    with pytest.raises(NetworkError), pool.hold(never):
        raise NetworkError("a does not answer")
    uses = pool.uses()

    assert [use.fault is None for use in uses] == [True, False]
    assert uses[1].fault is not None
    assert uses[1].fault["message"] == "a does not answer"
    assert pool.uses() == ()


def test_what_a_trial_does_wrong_is_no_fault_of_its_device(tmp_path: Path) -> None:
    pool = DevicePool(tmp_path, ("a",))

    with pytest.raises(ValueError, match="bug"), pool.hold(never):
        raise ValueError("bug")

    assert [use.fault for use in pool.uses()] == [None]


def test_full_disk_of_a_device_is_the_device_s_fault(tmp_path: Path) -> None:
    pool = DevicePool(tmp_path, ("a",))

    with pytest.raises(DeviceError, match="a: no space"), pool.hold(never):
        raise StorageError("no space")


def test_no_device_is_a_network_error(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no device is left"), DevicePool(tmp_path).hold(never):
        pass


def fault(device: str) -> Use:
    return Use(device=device, seconds=1.0, fault={"message": "gone"})


def test_device_is_left_out_after_three_faults_in_a_row_only() -> None:
    book = DeviceBook(("a", "b"))
    fine = Use(device="a", seconds=2.0)

    left_out = [
        book.note(use) for use in (fault("a"), fault("a"), fine, fault("a"), fault("a"), fault("b"), fault("a"))
    ]

    assert left_out == [False] * 6 + [True]
    assert book.usable == ("b",)
    record = book.records[0]
    assert (record.uses, record.faults, record.held_s) == (6, 5, 7.0)
    assert record.left_out == "failed 3 times in a row, last: gone"


def test_device_that_nobody_asked_for_is_not_counted() -> None:
    book = DeviceBook(("a",))

    assert not book.note(fault("emulator"))
    assert book.usable == ("a",)
