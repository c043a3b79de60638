"""Which machine answered under which name: who is remembered, who is refused, who is taken for the right one again."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import TrustError
from edgekit.device.machines import forget, machines_path, recognise, twins
from edgekit.device.replies import Hello

KITCHEN = DeviceEntry(name="kitchen", url="ssh://pi@kitchen.local")
HALL = DeviceEntry(name="hall", url="ssh://pi@hall.local")


def hello(machine_id: str | None) -> Hello:
    """What an agent says of itself."""
    return Hello(
        protocol=1, agent="a" * 64, python="3.11.2", machine="aarch64", bits=64, libc=("glibc", "2.36"),
        root="/home/pi/.edgekit", boot_id="b", machine_id=machine_id, hostname="pi", pid=1, encodings=(),
    )  # fmt: skip


def test_other_machine_under_a_known_name_is_refused() -> None:
    recognise(KITCHEN, hello("a" * 32))
    recognise(KITCHEN, hello("a" * 32))

    with pytest.raises(TrustError, match=r"its machine-id is bbbbbbbbbbbb, it was aaaaaaaaaaaa"):
        recognise(KITCHEN, hello("b" * 32))


@pytest.mark.parametrize(
    "changes",
    [
        {"emulator": "user"},
        {"url": "qemu://cortex_m4"},
        {"url": "local:///srv/device"},
        {"name": "ssh://pi@kitchen.local"},
    ],
    ids=["emulated", "board", "this computer", "in no inventory"],
)
def test_device_that_may_change_is_not_remembered(changes: dict[str, str]) -> None:
    entry = replace(KITCHEN, **changes)  # type: ignore[arg-type]  # only fields of texts

    for letter in "ab":
        recognise(entry, hello(letter * 32))

    assert not machines_path().exists()


@pytest.mark.parametrize("machine_id", [None, ""])
def test_device_without_a_machine_id_is_not_remembered(machine_id: str | None) -> None:
    recognise(KITCHEN, hello(machine_id))
    recognise(KITCHEN, hello("a" * 32))
    recognise(KITCHEN, hello(machine_id))

    assert json.loads(machines_path().read_bytes())["machines"] == {"kitchen": "a" * 32}


def test_forgotten_name_is_met_anew() -> None:
    recognise(KITCHEN, hello("a" * 32))
    recognise(HALL, hello("c" * 32))

    forget("kitchen")
    recognise(KITCHEN, hello("b" * 32))

    assert json.loads(machines_path().read_bytes())["machines"] == {"hall": "c" * 32, "kitchen": "b" * 32}


def test_two_names_of_one_machine_are_told_and_not_refused() -> None:
    recognise(KITCHEN, hello("a" * 32))
    recognise(HALL, hello("a" * 32))

    assert len(twins(HALL, hello("a" * 32))) == 1
    assert twins(HALL, hello("a" * 32))[0].startswith("kitchen answered with the machine-id of hall")
    assert twins(HALL, hello("b" * 32)) == []


def test_devices_that_are_met_at_the_same_moment_are_all_remembered() -> None:
    entries = [replace(KITCHEN, name=f"pi-{number}") for number in range(20)]
    threads = [threading.Thread(target=recognise, args=(entry, hello(entry.name.ljust(32, "0")))) for entry in entries]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(json.loads(machines_path().read_bytes())["machines"]) == sorted(entry.name for entry in entries)
