"""The user-mode device: aarch64 programs over real SSH, in seconds."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from edgekit.emulators import EmulatedDevice, MachineSpec, StartedBy, emulator, list_devices, read_record
from tests.integration.conftest import usable
from tests.integration.openssh_client import said, ssh

pytestmark = pytest.mark.emulated_pi

USER = emulator("user")
MACHINE = MachineSpec(
    target="some-pi",
    cpu="cortex-a72",
    cores=4,
    ram_bytes=2**30,
    disk_bytes=64 * 2**20,
    model="Raspberry Pi 4 Model B Rev 1.4",
)
GROUPS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    usable(USER.backend)
    return tmp_path_factory.mktemp("emulators")


@pytest.fixture(scope="module")
def device(state_dir: Path) -> Iterator[EmulatedDevice]:
    yield USER.up(MACHINE, name="pi", state_dir=state_dir)
    USER.down("pi", state_dir=state_dir)


def test_programs_are_aarch64_on_the_machines_core(device: EmulatedDevice) -> None:
    assert said(device, "uname -m") == "aarch64"
    assert "CPU part\t: 0xd08" in said(device, "cat /proc/cpuinfo")
    assert said(device, "echo $QEMU_CPU") == "cortex-a72"


def test_device_has_the_machines_cores_as_far_as_the_host_has_them(device: EmulatedDevice) -> None:
    assert int(said(device, "nproc")) == min(MACHINE.cores, len(os.sched_getaffinity(0)))


def test_device_says_what_it_is(device: EmulatedDevice) -> None:
    assert said(device, "hostname") == "pi"
    assert said(device, "tr -d '\\0' < /sys/firmware/devicetree/base/model") == MACHINE.model
    assert said(device, "vcgencmd get_throttled") == "throttled=0x0"
    assert said(device, "grep MemTotal /proc/meminfo").split() == ["MemTotal:", "1048576", "kB"]


def test_python_runs_with_sub_processes(device: EmulatedDevice) -> None:
    program = "import platform, subprocess; print(platform.machine(), subprocess.check_output([b'uname', b'-m']))"

    assert said(device, f'python3 -I -c "{program}"') == r"aarch64 b'aarch64\n'"


def test_paramiko_logs_in_and_pins_the_host_key(device: EmulatedDevice) -> None:
    kind, blob = device.host_key.split()
    key = paramiko.PKey.from_type_string(kind, base64.b64decode(blob))

    with paramiko.SSHClient() as client:
        client.get_host_keys().add(f"[127.0.0.1]:{device.port}", kind, key)
        client.connect(
            "127.0.0.1", device.port, "root", key_filename=str(device.identity_file), look_for_keys=False, timeout=30
        )
        _, stdout, _ = client.exec_command("uname -m", timeout=30)
        assert stdout.read() == b"aarch64\n"


def test_temperature_is_what_a_test_writes(device: EmulatedDevice) -> None:
    assert said(device, "echo 85000 > /sys/class/thermal/thermal_zone0/temp && vcgencmd measure_temp") == "temp=85.0'C"


def test_root_of_the_device_cannot_set_the_hosts_clock(device: EmulatedDevice) -> None:
    assert ssh(device, "date -s @0").returncode != 0


def test_another_process_finds_the_device_by_its_record(device: EmulatedDevice, state_dir: Path) -> None:
    assert device in list_devices(state_dir)
    assert device.running


def test_two_devices_share_neither_name_nor_keys_nor_files(device: EmulatedDevice, state_dir: Path) -> None:
    other = USER.up(MACHINE, name="other", state_dir=state_dir)
    try:
        said(device, "touch /root/mine")

        assert said(other, "hostname; ls /root") == "other"
        assert other.host_key != device.host_key
        assert said(other, "cat /etc/machine-id") != said(device, "cat /etc/machine-id")
    finally:
        USER.down("other", state_dir=state_dir)


def test_disk_ends_where_the_machines_does(device: EmulatedDevice) -> None:
    written = ssh(device, "dd if=/dev/zero of=/root/big bs=1M count=100 2>&1; rm /root/big")

    assert "No space left on device" in written.stdout


def test_files_survive_a_power_cut_and_the_boot_is_a_new_one(state_dir: Path) -> None:
    first = USER.up(MACHINE, name="cut", state_dir=state_dir)
    try:
        boot_id = said(first, "echo kept > /root/file; cat /proc/sys/kernel/random/boot_id")

        USER.kill("cut", state_dir=state_dir)
        assert not read_record(state_dir / "cut").running
        assert ssh(first, "true").returncode == 255
        again = USER.power_on("cut", state_dir=state_dir)

        assert (again.url, again.host_key, again.started_by) == (first.url, first.host_key, StartedBy.BOOT)
        assert said(again, "cat /root/file") == "kept"
        assert said(again, "cat /proc/sys/kernel/random/boot_id") != boot_id
    finally:
        USER.down("cut", state_dir=state_dir)


def test_too_much_memory_kills_the_program_and_not_the_device(state_dir: Path) -> None:
    small = replace(MACHINE, ram_bytes=160 * 2**20, disk_bytes=16 * 2**20)
    device = USER.up(small, name="small", state_dir=state_dir)
    try:
        limited = "memory is limited" in device.note

        status = said(device, "python3 -I -c 'bytearray(600 << 20)'; echo $?")

        assert status == ("137" if limited else "0")
        assert said(device, "echo alive") == "alive"
    finally:
        USER.down("small", state_dir=state_dir)


def test_down_leaves_no_process_no_mount_and_no_group(state_dir: Path) -> None:
    groups_before = _groups()
    device = USER.up(MACHINE, name="gone", state_dir=state_dir)
    folder = str(state_dir / "gone")
    assert folder in Path("/proc/self/mounts").read_text()

    USER.down("gone", state_dir=state_dir)

    assert not device.running
    assert not Path(folder).exists()
    assert folder not in Path("/proc/self/mounts").read_text()
    assert _groups() == groups_before
    assert not any(folder in _command_line(pid) for pid in Path("/proc").glob("[0-9]*"))


def test_down_also_removes_what_a_crash_has_left(state_dir: Path) -> None:
    device = USER.up(MACHINE, name="crash", state_dir=state_dir)
    os.kill(device.pid, 9)  # its whole namespace dies with it

    USER.down("crash", state_dir=state_dir)

    assert str(state_dir / "crash") not in Path("/proc/self/mounts").read_text()


def _groups() -> set[str]:
    return {str(path) for folder in GROUPS for path in folder.glob("edgekit-*")}


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(errors="replace")
    except OSError:
        return ""
