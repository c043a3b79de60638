"""The values of this package: the machine to play, the device handed out, and what is missing to make one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgekit.emulators._processes import HostProcess, is_running

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class UserLand:
    """What decides which binaries run on a machine.

    Attributes:
        machine: as `uname -m` prints it.
        bits: size of a pointer.
        python: version of Python, e.g. "3.11.2".
        libc: name and version, e.g. ("glibc", "2.36").
    """

    machine: str
    bits: int
    python: str
    libc: tuple[str, str]


USER_LANDS: Mapping[tuple[str, str], UserLand] = {
    ("bookworm", "arm64"): UserLand(machine="aarch64", bits=64, python="3.11.2", libc=("glibc", "2.36")),
    ("bookworm", "armhf"): UserLand(machine="armv7l", bits=32, python="3.11.2", libc=("glibc", "2.36")),
}
"""By Debian's names of release and architecture; the versions are those of its packages python3.11 and libc6."""


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """The machine to play, as its target file describes it.

    Attributes:
        target: name of the target, e.g. "rpi4".
        cpu: QEMU's name of the core, e.g. "cortex-a72".
        cores: number of cores that the machine has.
        ram_bytes: its memory.
        disk_bytes: free space on its disk when it is new; the operating system comes on top.
        model: what its device tree says, e.g. "Raspberry Pi 4 Model B Rev 1.4".
        max_clock_hz: highest clock, as cpufreq reports it.
        debian_suite: the Debian release it runs.
        arch: Debian's name of the architecture.
        wheels: path on this computer to sha256 of each wheel that comes unpacked with the system, as a phone's app
            brings its runtime; the user backend does that.
    """

    target: str
    cpu: str
    cores: int
    ram_bytes: int
    disk_bytes: int
    model: str
    max_clock_hz: int = 1_500_000_000
    debian_suite: str = "bookworm"
    arch: str = "arm64"
    wheels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Something that a backend needs and this machine lacks.

    Attributes:
        what: the thing, e.g. "qemu-system-aarch64".
        remedy: the command, or the one sentence, that mends it.
    """

    what: str
    remedy: str


class StartedBy(StrEnum):
    """How the device came to life."""

    BOOT = "boot"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, kw_only=True)
class EmulatedDevice:
    """One emulated machine that answers (or did answer) on SSH.

    Attributes:
        name: unique within its state folder; also its hostname.
        target: name of the target it plays.
        backend: name of the emulator that runs it.
        url: where SSH answers, "ssh://root@127.0.0.1:PORT".
        identity_file: private key that may log in, mode 0600.
        host_key: what the device must prove to be, "ssh-ed25519 AAAA...".
        note: one sentence on what is real about it and what is not.
        machine: what was ordered.
        cache_dir: where its shared images lie.
        process: the host's process that is the device; None before it was started.
        started_by: boot or snapshot.
        images: folders of the cache that it lies on; None while that is not known.
    """

    name: str
    target: str
    backend: str
    url: str
    identity_file: Path
    host_key: str
    note: str
    machine: MachineSpec
    cache_dir: Path
    process: HostProcess | None = None
    started_by: StartedBy = StartedBy.BOOT
    images: tuple[Path, ...] | None = None

    @property
    def pid(self) -> int:
        """Process id on the host; 0 before the first start."""
        return self.process.pid if self.process else 0

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1."""
        return urlsplit(self.url).port or 22

    @property
    def running(self) -> bool:
        """Whether its process lives, now."""
        return self.process is not None and is_running(self.process)
