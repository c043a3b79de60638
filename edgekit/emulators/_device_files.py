"""The files that turn the shared root tree into one particular device: its name, its keys, and what it says it is.

Programs ask /proc/cpuinfo and /sys which core they run on (LiteRT crashes when it finds x86 answers on an aarch64
core), so the device carries a small imitation of both, bind-mounted over the real ones when it starts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.core.errors import UnsupportedError
from edgekit.emulators._architecture import architecture_of

if TYPE_CHECKING:
    from edgekit.emulators._identity import Identity
    from edgekit.emulators._types import MachineSpec

FACADE = "usr/lib/edgekit-machine"
"""Where the imitation lies on the device, without the leading slash: `proc/...` and `sys/...` below it."""

_IDLE_TEMPERATURE_MILLI_C = 48_000
_LOWEST_CLOCK_HZ = 600_000_000

_SSHD_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PidFile none
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
"""

_VCGENCMD = """\
#!/bin/sh
# Stands in for Raspberry Pi's vcgencmd, which asks the GPU's firmware; there is none here.
case "$1" in
    get_throttled) echo "throttled=0x0" ;;
    measure_temp) awk '{ printf "temp=%.1f'"'"'C\\n", $1 / 1000 }' /sys/class/thermal/thermal_zone0/temp ;;
    *) echo "error=1 error_msg=\\"Command not registered\\"" ; exit 255 ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Core:
    """How one kind of Arm core describes itself.

    Attributes:
        part: part number in MIDR_EL1 (Arm's technical reference manual of the core).
        variant, revision: of the common silicon, rNpM.
        features: the line that Linux prints, as on a Raspberry Pi.
        version: of Arm's architecture, the newest whose programs QEMU runs on this core.
    """

    part: int
    variant: int
    revision: int
    features: str
    version: int = 8

    @property
    def midr(self) -> int:
        """MIDR_EL1 with Arm as implementer: implementer, variant, architecture 0xf, part, revision."""
        return 0x41 << 24 | self.variant << 20 | 0xF << 16 | self.part << 4 | self.revision


_ARMV8_0 = "fp asimd evtstrm crc32 cpuid"
_ARMV7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"
_MODEL_NAME = "model name\t: ARMv7 Processor rev 5 (v7l)\n"
_HARDWARE = "Hardware\t: BCM2835\n"
"""What a 32-bit kernel of Raspberry Pi says of every board; programs without getauxval look for it."""

_CORES = {
    "cortex-a7": Core(part=0xC07, variant=0, revision=5, features=_ARMV7, version=7),
    "cortex-a53": Core(part=0xD03, variant=0, revision=4, features=_ARMV8_0),
    "cortex-a72": Core(part=0xD08, variant=0, revision=3, features=_ARMV8_0),
    "cortex-a76": Core(
        part=0xD0B,
        variant=4,
        revision=1,
        features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
    ),
}


@dataclass(frozen=True, kw_only=True)
class DeviceFile:
    """One file of the device, by its path without the leading slash."""

    path: str
    data: bytes
    mode: int = 0o644


def core_of(machine: MachineSpec) -> Core:
    """The description of the machine's core.

    Raises:
        UnsupportedError: we have none for it, or QEMU runs no programs of the machine's architecture on it.
    """
    try:
        core = _CORES[machine.cpu]
    except KeyError as cause:
        raise UnsupportedError(
            f"the emulators do not know how a {machine.cpu} describes itself",
            hint=f"known: {', '.join(sorted(_CORES))}",
        ) from cause
    if core.version != architecture_of(machine).version:
        raise UnsupportedError(
            f"QEMU runs no {machine.arch} programs on a {machine.cpu}",
            hint="32-bit systems are played on a cortex-a7, 64-bit ones on newer cores",
        )
    return core


def device_files(
    machine: MachineSpec, *, name: str, identity: Identity, cores: int, environment: Mapping[str, str] | None = None
) -> list[DeviceFile]:
    """All files that make the shared tree into this device.

    Args:
        machine: what to play.
        name: becomes the hostname.
        identity: the host key it proves itself with, and the client key that may log in.
        cores: how many it has in this backend.
        environment: more variables of its sessions.

    Raises:
        UnsupportedError: the core is not known.
    """
    serial = hashlib.sha256(identity.host_public.encode()).hexdigest()
    variables = {"QEMU_CPU": machine.cpu, **(environment or {})}
    set_env = " ".join(f"{key}={value}" for key, value in variables.items())
    own = [
        _text("etc/hostname", f"{name}\n"),
        _text("etc/hosts", f"127.0.0.1 localhost {name}\n"),
        _text("etc/machine-id", f"{serial[:32]}\n"),
        _text("etc/ssh/sshd_config", f"{_SSHD_CONFIG}SetEnv {set_env}\n"),
        DeviceFile(path="etc/ssh/ssh_host_ed25519_key", data=identity.host_key_file.read_bytes(), mode=0o600),
        _text("etc/ssh/ssh_host_ed25519_key.pub", f"{identity.host_public}\n"),
        DeviceFile(path="root/.ssh/authorized_keys", data=f"{identity.client_public}\n".encode(), mode=0o600),
        DeviceFile(path="usr/bin/vcgencmd", data=_VCGENCMD.encode(), mode=0o755),
    ]
    facade = {
        "proc/cpuinfo": _cpuinfo(machine, cores, serial[:16]),
        "proc/meminfo": _meminfo(machine.ram_bytes),
        **_sys(machine, cores, serial[:16]),
    }
    return own + [_text(f"{FACADE}/{path}", text) for path, text in sorted(facade.items())]


def _text(path: str, text: str) -> DeviceFile:
    return DeviceFile(path=path, data=text.encode())


def _cpuinfo(machine: MachineSpec, cores: int, serial: str) -> str:
    core = core_of(machine)
    blocks = [
        f"processor\t: {number}\n"
        f"{_MODEL_NAME if core.version < 8 else ''}"
        "BogoMIPS\t: 108.00\n"
        f"Features\t: {core.features}\n"
        "CPU implementer\t: 0x41\n"
        f"CPU architecture: {core.version}\n"
        f"CPU variant\t: {core.variant:#x}\n"
        f"CPU part\t: {core.part:#05x}\n"
        f"CPU revision\t: {core.revision}\n"
        for number in range(cores)
    ]
    board = _HARDWARE if core.version < 8 else ""
    return "\n".join([*blocks, f"{board}Serial\t\t: {serial}\nModel\t\t: {machine.model}\n"])


def _meminfo(ram_bytes: int) -> str:
    """A machine at rest: the total is exact, the rest is a plausible constant."""
    total_kib = ram_bytes // 1024
    free_kib = total_kib * 9 // 10
    rows = {
        "MemTotal": total_kib,
        "MemFree": free_kib,
        "MemAvailable": free_kib,
        "Buffers": 0,
        "Cached": 0,
        "SwapCached": 0,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{key + ':':<16}{value:>8} kB\n" for key, value in rows.items())


def _sys(machine: MachineSpec, cores: int, serial: str) -> dict[str, str]:
    span = f"0-{cores - 1}" if cores > 1 else "0"
    files = {
        # Strings of a device tree end with a zero byte.
        "sys/firmware/devicetree/base/model": f"{machine.model}\0",
        "sys/firmware/devicetree/base/serial-number": f"{serial}\0",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": f"{_IDLE_TEMPERATURE_MILLI_C}\n",
        "sys/devices/system/cpu/kernel_max": "255\n",
        **{f"sys/devices/system/cpu/{state}": f"{span}\n" for state in ("possible", "present", "online")},
    }
    for number in range(cores):
        cpu = f"sys/devices/system/cpu/cpu{number}"
        files |= {
            f"{cpu}/cpufreq/scaling_governor": "ondemand\n",
            f"{cpu}/cpufreq/scaling_cur_freq": f"{machine.max_clock_hz // 1000}\n",
            f"{cpu}/cpufreq/scaling_max_freq": f"{machine.max_clock_hz // 1000}\n",
            f"{cpu}/cpufreq/scaling_min_freq": f"{_LOWEST_CLOCK_HZ // 1000}\n",
            f"{cpu}/cpufreq/cpuinfo_max_freq": f"{machine.max_clock_hz // 1000}\n",
            f"{cpu}/cpufreq/cpuinfo_min_freq": f"{_LOWEST_CLOCK_HZ // 1000}\n",
            f"{cpu}/topology/core_id": f"{number}\n",
            f"{cpu}/topology/physical_package_id": "0\n",
        }
        if core_of(machine).version >= 8:  # an older kernel does not tell it
            files[f"{cpu}/regs/identification/midr_el1"] = f"{core_of(machine).midr:#018x}\n"
    return files
