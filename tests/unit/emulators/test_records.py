from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import InputError
from edgekit.emulators import EmulatedDevice, MachineSpec, StartedBy, list_devices, read_record
from edgekit.emulators._processes import identify
from edgekit.emulators._records import write_record


@pytest.fixture
def device(machine: MachineSpec, tmp_path: Path) -> EmulatedDevice:
    return EmulatedDevice(
        name="one",
        target="some-pi",
        backend="loopback",
        url="ssh://root@127.0.0.1:12345",
        identity_file=tmp_path / "one/id_ed25519",
        host_key="ssh-ed25519 AAAA",
        note="a test",
        machine=machine,
        cache_dir=tmp_path / "cache",
        process=identify(os.getpid()),
        started_by=StartedBy.SNAPSHOT,
    )


@pytest.mark.parametrize("wheels", [{}, {"/cache/some-1-py3-none-any.whl": "a" * 64}])
def test_record_gives_back_the_device(device: EmulatedDevice, tmp_path: Path, wheels: dict[str, str]) -> None:
    (tmp_path / "one").mkdir()
    device = replace(device, machine=replace(device.machine, wheels=wheels))

    write_record(tmp_path / "one", device)

    assert read_record(tmp_path / "one") == device
    assert list_devices(tmp_path) == [device]
    assert device.port == 12345


def test_record_is_for_its_owner_only(device: EmulatedDevice, tmp_path: Path) -> None:
    write_record(tmp_path, device)

    assert (tmp_path / "device.json").stat().st_mode & 0o077 == 0


def test_device_runs_while_exactly_its_process_lives(device: EmulatedDevice) -> None:
    assert device.process is not None
    recycled = replace(device.process, started_ticks=device.process.started_ticks + 1)
    before_reboot = replace(device.process, host_boot_id="another")

    assert device.running
    assert not replace(device, process=recycled).running
    assert not replace(device, process=before_reboot).running
    assert not replace(device, process=None).running


def test_unknown_device_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no emulated device 'nobody'"):
        read_record(tmp_path / "nobody")


def test_record_of_another_schema_is_named(device: EmulatedDevice, tmp_path: Path) -> None:
    write_record(tmp_path, device)
    document = json.loads((tmp_path / "device.json").read_text())
    (tmp_path / "device.json").write_text(json.dumps({**document, "schema": "edgekit.emulated-device/9"}))

    with pytest.raises(InputError, match="emulated-device/9"):
        read_record(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "edgekit.emulated-device/1"}', "\x00"])
def test_damaged_record_is_refused_and_left_out_of_the_list(tmp_path: Path, text: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/device.json").write_text(text)

    with pytest.raises(InputError):
        read_record(tmp_path / "one")
    assert list_devices(tmp_path) == []
