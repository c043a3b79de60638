from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.emulators import MachineSpec, debian_name
from edgekit.emulators._device_files import FACADE, DeviceFile, core_of, device_files
from edgekit.emulators._identity import Identity, make_identity


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return make_identity(tmp_path, comment="test")


@pytest.fixture
def files(machine: MachineSpec, identity: Identity) -> dict[str, DeviceFile]:
    return {file.path: file for file in device_files(machine, name="pi-1", identity=identity, cores=3)}


def test_cpuinfo_describes_the_core_of_the_machine(files: dict[str, DeviceFile]) -> None:
    text = files[f"{FACADE}/proc/cpuinfo"].data.decode()

    assert text.count("processor\t:") == 3
    assert "CPU part\t: 0xd08" in text
    assert "Model\t\t: Some Pi Model B" in text


def test_midr_of_a_cortex_a72_is_that_of_the_manual(machine: MachineSpec) -> None:
    assert core_of(machine).midr == 0x410FD083  # Arm 100095, r0p3


def test_total_memory_is_that_of_the_machine(files: dict[str, DeviceFile]) -> None:
    assert files[f"{FACADE}/proc/meminfo"].data.splitlines()[0].split() == [b"MemTotal:", b"1048576", b"kB"]


def test_device_tree_strings_end_with_a_zero_byte(files: dict[str, DeviceFile]) -> None:
    assert files[f"{FACADE}/sys/firmware/devicetree/base/model"].data == b"Some Pi Model B\0"


@pytest.mark.parametrize(("cores", "span"), [(1, b"0\n"), (4, b"0-3\n")])
def test_list_of_cores_is_written_as_the_kernel_does(
    machine: MachineSpec, identity: Identity, cores: int, span: bytes
) -> None:
    files = {file.path: file.data for file in device_files(machine, name="x", identity=identity, cores=cores)}

    assert files[f"{FACADE}/sys/devices/system/cpu/online"] == span


def test_private_files_are_private(files: dict[str, DeviceFile]) -> None:
    assert files["etc/ssh/ssh_host_ed25519_key"].mode == 0o600
    assert files["root/.ssh/authorized_keys"].mode == 0o600


def test_sessions_get_the_core_of_the_machine(files: dict[str, DeviceFile]) -> None:
    assert b"SetEnv QEMU_CPU=cortex-a72\n" in files["etc/ssh/sshd_config"].data


def test_unknown_core_is_refused_with_those_that_are_known(machine: MachineSpec, identity: Identity) -> None:
    with pytest.raises(UnsupportedError) as error:
        device_files(replace(machine, cpu="z80"), name="x", identity=identity, cores=1)

    assert "cortex-a72" in str(error.value.hint)


@pytest.fixture
def old(machine: MachineSpec) -> MachineSpec:
    """A machine with a 32-bit system."""
    return replace(machine, cpu="cortex-a7", arch="armhf")


def test_32_bit_core_describes_itself_as_a_32_bit_kernel_does(old: MachineSpec, identity: Identity) -> None:
    files = {file.path: file.data.decode() for file in device_files(old, name="x", identity=identity, cores=2)}

    text = files[f"{FACADE}/proc/cpuinfo"]
    assert text.count("model name\t: ARMv7 Processor rev 5 (v7l)") == 2
    assert "CPU architecture: 7" in text
    assert "CPU part\t: 0xc07" in text
    assert "neon" in text
    assert not any("midr_el1" in path for path in files)
    assert core_of(old).midr == 0x410FC075  # Arm DDI 0464, r0p5


def test_core_that_the_32_bit_qemu_lacks_is_refused(old: MachineSpec) -> None:
    with pytest.raises(UnsupportedError, match="runs no armhf programs on a cortex-a72"):
        core_of(replace(old, cpu="cortex-a72"))


def test_architecture_that_nobody_plays_is_refused_with_those_that_are(machine: MachineSpec) -> None:
    with pytest.raises(UnsupportedError, match="riscv64") as error:
        core_of(replace(machine, arch=debian_name("riscv64")))

    assert "arm64, armhf" in str(error.value.hint)
