"""What every backend inherits: records, names, and that a failed start leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import pytest

from edgekit.core.errors import DeviceError, InputError
from edgekit.emulators import Emulator, MachineSpec, Missing, list_devices, read_record
from edgekit.emulators._base import Order, Started
from edgekit.emulators._processes import HostProcess, is_running, spawn


class Sleeping(Emulator):
    """A device that is a process that sleeps."""

    backend: ClassVar[str] = "sleeping"
    summary: ClassVar[str] = "sleeps"

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.orders: list[Order] = []
        self.processes: list[HostProcess] = []
        self.released: list[Path] = []

    def missing(self) -> list[Missing]:
        return []

    def _start(self, order: Order) -> Started:
        self.orders.append(order)
        process = spawn(["/bin/sleep", "100"], log=order.folder / "log", env={"PATH": os.environ["PATH"]})
        self.processes.append(process)
        order.register(process)
        if self.fails:
            raise DeviceError("it burns")
        return Started(note="asleep")

    def _release(self, folder: Path) -> None:
        self.released.append(folder)


def test_device_is_recorded_killed_switched_on_again_and_removed(machine: MachineSpec, tmp_path: Path) -> None:
    emulator, told = Sleeping(), []

    up = emulator.up(machine, name="a", state_dir=tmp_path, on_event=told.append)
    assert up.running
    assert read_record(tmp_path / "a") == up
    assert told == [f"a answers at {up.url}"]

    emulator.kill("a", state_dir=tmp_path)
    assert not read_record(tmp_path / "a").running

    again = emulator.power_on("a", state_dir=tmp_path)
    assert (again.url, again.host_key) == (up.url, up.host_key)
    assert [order.first for order in emulator.orders] == [True, False]

    emulator.down("a", state_dir=tmp_path)
    assert not any(is_running(process) for process in emulator.processes)
    assert emulator.released == [tmp_path / "a"]
    assert not (tmp_path / "a").exists()


def test_failed_start_leaves_no_process_and_no_folder(machine: MachineSpec, tmp_path: Path) -> None:
    emulator = Sleeping(fails=True)

    with pytest.raises(DeviceError, match="it burns"):
        emulator.up(machine, name="a", state_dir=tmp_path)

    assert not any(is_running(process) for process in emulator.processes)
    assert list(tmp_path.iterdir()) == []


def test_name_that_is_taken_is_refused_and_the_device_lives_on(machine: MachineSpec, tmp_path: Path) -> None:
    emulator = Sleeping()
    device = emulator.up(machine, name="a", state_dir=tmp_path)

    with pytest.raises(InputError, match="exists already"):
        emulator.up(machine, name="a", state_dir=tmp_path)

    assert device.running
    emulator.down("a", state_dir=tmp_path)


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a" * 33, "a b", "a\n"])
def test_name_that_is_no_hostname_is_refused(machine: MachineSpec, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a device's name"):
        Sleeping().up(machine, name=name, state_dir=tmp_path)


def test_name_of_this_computer_is_refused(machine: MachineSpec, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'local' is the name of this computer") as caught:
        Sleeping().up(machine, name="local", state_dir=tmp_path)

    assert caught.value.hint == "choose another --name"
    assert list(tmp_path.iterdir()) == []


def test_device_that_is_on_is_not_switched_on_again(machine: MachineSpec, tmp_path: Path) -> None:
    emulator = Sleeping()
    emulator.up(machine, name="a", state_dir=tmp_path)

    with pytest.raises(InputError, match="already on"):
        emulator.power_on("a", state_dir=tmp_path)

    emulator.down("a", state_dir=tmp_path)


@pytest.mark.parametrize("action", ["down", "kill", "power_on"])
def test_device_that_nobody_made_is_refused(tmp_path: Path, action: str) -> None:
    with pytest.raises(InputError, match="no emulated device 'ghost'"):
        getattr(Sleeping(), action)("ghost", state_dir=tmp_path)


def test_devices_get_different_ports_and_keys(machine: MachineSpec, tmp_path: Path) -> None:
    emulator = Sleeping()

    devices = [emulator.up(machine, name=name, state_dir=tmp_path) for name in ("a", "b")]

    assert list_devices(tmp_path) == devices
    assert len({device.port for device in devices}) == 2
    assert len({device.host_key for device in devices}) == 2
    for device in devices:
        emulator.down(device.name, state_dir=tmp_path)
