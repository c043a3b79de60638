"""The rollout without devices: who is begun, what stops it, who takes the place of whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.flows.fleet.executor import Threads
from edgekit.flows.fleet.member import Fault, Member, State
from edgekit.flows.fleet.rollout import Rolled, Rules, roll_out
from edgekit.flows.fleet.waves import USUAL, Amount, parse_waves

BAD = Member(device="", target=None, state=State.OLD, fault=Fault.RELEASE, counts=True, reason="wrong outputs")
DEAD = Member(device="", target=None, state=State.UNREACHABLE, fault=Fault.INFRASTRUCTURE, reason="no answer")
GOOD = Member(device="", target=None, state=State.NEW)
NONE = Amount(value=0, is_share=False)


def fleet(count: int, target: str = "rpi4", prefix: str = "pi") -> list[DeviceEntry]:
    return [DeviceEntry(name=f"{prefix}-{n:02}", url="local://", target=target) for n in range(count)]


def rolled(
    entries: list[DeviceEntry],
    fates: Mapping[str, Member],
    *,
    waves: str = "1,10%,50%,100%",
    max_failures: Amount = NONE,
    settled: Iterable[Member] = (),
) -> tuple[Rolled, list[str]]:
    """What became of it, and the devices in the order in which they were begun."""
    begun: list[str] = []

    def work(entry: DeviceEntry) -> Member:
        begun.append(entry.name)
        fate = fates.get(entry.name, GOOD)
        return Member(**{**vars(fate), "device": entry.name, "target": entry.target})

    rules = Rules(waves=parse_waves(waves), max_failures=max_failures)
    return roll_out(entries, work, Threads(parallel=1), rules, settled=list(settled)), begun


def states(found: Rolled) -> dict[str, State]:
    return {member.device: member.state for member in found.members}


def test_good_release_reaches_every_device_in_four_waves() -> None:
    found, begun = rolled(fleet(20), {})

    assert set(states(found).values()) == {State.NEW}
    assert [len(wave.devices) for wave in found.waves] == [1, 1, 8, 10]
    assert begun == sorted(begun)
    assert found.stopped == ""


def test_canary_that_fails_leaves_the_others_untouched() -> None:
    found, begun = rolled(fleet(20), {"pi-00": BAD}, max_failures=Amount(value=1.0, is_share=True))

    assert begun == ["pi-00"]
    assert list(states(found).values()).count(State.SKIPPED) == 19
    assert found.stopped == "the canary failed on pi-00: wrong outputs"
    assert all(found.stopped in member.reason for member in found.members if member.state is State.SKIPPED)


@pytest.mark.parametrize(("allowed", "begun_by_then"), [(0, 2), (1, 3), (2, 4)])
def test_rollout_stops_with_the_first_failure_too_many(allowed: int, begun_by_then: int) -> None:
    fates = {f"pi-{n:02}": BAD for n in range(1, 20)}

    found, begun = rolled(fleet(20), fates, max_failures=Amount(value=allowed, is_share=False))

    assert len(begun) == begun_by_then
    assert f"more than {allowed} failures" in found.stopped


def test_allowed_failures_do_not_stop_it() -> None:
    found, _ = rolled(fleet(20), {"pi-17": BAD}, max_failures=Amount(value=0.05, is_share=True))

    assert found.stopped == ""
    assert list(states(found).values()).count(State.NEW) == 19


def test_share_of_failures_is_of_the_devices_by_then_and_not_of_the_fleet() -> None:
    found, begun = rolled(fleet(20), {"pi-07": BAD}, max_failures=Amount(value=0.05, is_share=True))

    assert begun[-1] == "pi-07"
    assert "more than 0 failures by this wave (5% may fail)" in found.stopped


def test_only_wave_is_no_canary() -> None:
    found, begun = rolled(fleet(4), {"pi-00": BAD}, waves="100%", max_failures=Amount(value=1, is_share=False))

    assert len(begun) == 4
    assert found.stopped == ""


def test_dead_canary_is_replaced_one_at_a_time_and_stops_nothing() -> None:
    found, begun = rolled(fleet(20), {"pi-00": DEAD, "pi-01": DEAD, "pi-02": BAD})

    assert begun == ["pi-00", "pi-01", "pi-02"]
    assert [member.wave for member in found.members if member.device in begun] == [1, 1, 1]
    assert found.stopped == "the canary failed on pi-02: wrong outputs"


def test_fleet_of_dead_devices_is_tried_to_the_end() -> None:
    found, begun = rolled(fleet(6), dict.fromkeys((f"pi-{n:02}" for n in range(6)), DEAD))

    assert len(begun) == 6
    assert set(states(found).values()) == {State.UNREACHABLE}


def test_canary_of_each_kind_is_replaced_by_its_own_kind() -> None:
    both = [*fleet(10), *fleet(10, "rpi3", "old")]

    found, begun = rolled(both, {"old-00": DEAD, "old-01": BAD})

    assert begun == ["pi-00", "old-00", "old-01"]
    assert found.stopped == "the canary failed on old-01: wrong outputs"


def test_finished_devices_keep_their_place_and_fenced_ones_give_it_up() -> None:
    done = Member(device="pi-00", target="rpi4", state=State.NEW, reason="done before")
    fenced = Member(device="pi-01", target="rpi4", state=State.QUARANTINED, reason="flaky")

    found, begun = rolled(fleet(20), {}, settled=[done, fenced])

    assert "pi-00" not in begun
    assert "pi-01" not in begun
    assert begun[0] == "pi-02"
    assert [wave.number for wave in found.waves] == [2, 3, 4]  # the canary is done already
    assert len(found.members) == 20


def test_names_are_told_once_each_whatever_happens() -> None:
    found, _ = rolled(fleet(30), {"pi-00": DEAD, "pi-05": BAD, "pi-06": DEAD}, settled=[])

    assert [member.device for member in found.members] == [entry.name for entry in fleet(30)]
    assert USUAL[-1].at_least_of(30) == 30
