"""The system-mode device: a whole aarch64 machine whose power can be cut."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.core.errors import DeviceError
from edgekit.emulators import EmulatedDevice, MachineSpec, StartedBy, emulator, qemu_system, read_record
from tests.integration.conftest import usable
from tests.integration.openssh_client import said, ssh

pytestmark = pytest.mark.emulated_vm

SYSTEM = emulator("system")
MACHINE = MachineSpec(
    target="some-pi",
    cpu="cortex-a72",
    cores=4,
    ram_bytes=512 * 2**20,
    disk_bytes=64 * 2**20,
    model="Raspberry Pi 4 Model B Rev 1.4",
)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    usable(SYSTEM.backend)
    return tmp_path_factory.mktemp("emulators")


@pytest.fixture(scope="module")
def device(state_dir: Path) -> Iterator[EmulatedDevice]:
    yield SYSTEM.up(MACHINE, name="vm", state_dir=state_dir)
    SYSTEM.down("vm", state_dir=state_dir)


def test_device_starts_from_a_snapshot_with_the_clock_of_now(device: EmulatedDevice) -> None:
    assert device.started_by is StartedBy.SNAPSHOT
    assert abs(int(said(device, "date +%s")) - time.time()) < 30


def test_machine_is_aarch64_with_exactly_its_memory(device: EmulatedDevice) -> None:
    machine, memory, cpuinfo = said(device, "uname -m; grep MemTotal /proc/meminfo; grep -m1 part /proc/cpuinfo").split(
        "\n"
    )

    assert machine == "aarch64"
    assert 0.9 * MACHINE.ram_bytes < int(memory.split()[1]) * 1024 <= MACHINE.ram_bytes
    assert cpuinfo.endswith("0xd08")


def test_machine_says_what_it_is(device: EmulatedDevice) -> None:
    assert said(device, "hostname; tr -d '\\0' < /proc/device-tree/model; echo; vcgencmd get_throttled; nproc") == (
        f"vm\n{MACHINE.model}\nthrottled=0x0\n2"
    )


def test_free_space_is_what_was_ordered_and_ends(device: EmulatedDevice) -> None:
    free_bytes = int(said(device, "df -B1 --output=avail / | tail -1"))
    written = ssh(device, "dd if=/dev/zero of=/root/big bs=1M count=200 2>&1; rm /root/big")

    assert MACHINE.disk_bytes * 0.9 < free_bytes < MACHINE.disk_bytes * 1.5
    assert "No space left on device" in written.stdout


def test_clones_of_one_snapshot_share_nothing(device: EmulatedDevice, state_dir: Path) -> None:
    other = SYSTEM.up(MACHINE, name="twin", state_dir=state_dir)
    try:
        ask = "hostname; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; head -c 16 /dev/urandom | od -An -tx1"
        theirs, ours = said(other, ask).splitlines(), said(device, ask).splitlines()

        assert other.started_by is StartedBy.SNAPSHOT
        assert len(theirs) == len(ours) == 4
        assert not set(theirs) & set(ours)
    finally:
        SYSTEM.down("twin", state_dir=state_dir)
    assert not other.running


def test_synced_file_survives_a_power_cut_on_the_same_disk(state_dir: Path) -> None:
    first = SYSTEM.up(MACHINE, name="cut", state_dir=state_dir)
    try:
        program = "import os; f = open('/root/kept', 'w'); f.write('x' * 100000); f.flush(); os.fsync(f.fileno())"
        said(first, f'python3 -I -c "{program}" && python3 -I -c "import os; os.fsync(os.open(\'/root\', 0))"')

        SYSTEM.kill("cut", state_dir=state_dir)
        assert not read_record(state_dir / "cut").running
        again = SYSTEM.power_on("cut", state_dir=state_dir)

        assert (again.url, again.host_key, again.started_by) == (first.url, first.host_key, StartedBy.BOOT)
        assert said(again, "hostname; stat -c %s /root/kept") == "cut\n100000"
        assert abs(int(said(again, "date +%s")) - time.time()) < 30
    finally:
        SYSTEM.down("cut", state_dir=state_dir)


def test_snapshot_that_does_not_load_is_replaced_by_a_boot(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise DeviceError("another version of QEMU")

    monkeypatch.setattr(qemu_system, "_resume", refuse)
    told: list[str] = []

    device = SYSTEM.up(MACHINE, name="slow", state_dir=state_dir, on_event=told.append)

    try:
        assert device.started_by is StartedBy.BOOT
        assert any("another version of QEMU" in text for text in told)
        assert said(device, "hostname") == "slow"
    finally:
        SYSTEM.down("slow", state_dir=state_dir)
