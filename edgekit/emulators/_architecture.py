"""The processor architectures whose programs can be played here, and what Debian and QEMU call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.core.errors import UnsupportedError

if TYPE_CHECKING:
    from edgekit.emulators._types import MachineSpec


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture.

    Attributes:
        machine: as `uname -m` prints it.
        qemu: of the emulator of single programs; the one that needs no library is `<qemu>-static`.
        version: of Arm's architecture.
        system_packages: Debian packages that take the place of wheels, where the package index has none.
    """

    machine: str
    qemu: str
    version: int
    system_packages: tuple[str, ...] = ()


ARCHITECTURES: Mapping[str, Architecture] = {
    "arm64": Architecture(machine="aarch64", qemu="qemu-aarch64", version=8),
    "armhf": Architecture(machine="armv7l", qemu="qemu-arm", version=7, system_packages=("python3-numpy",)),
}
"""By Debian's names."""


def architecture_of(machine: MachineSpec) -> Architecture:
    """The architecture of a machine.

    Raises:
        UnsupportedError: none that can be played here.
    """
    try:
        return ARCHITECTURES[machine.arch]
    except KeyError as cause:
        raise UnsupportedError(
            f"the emulators run no programs for {machine.arch}",
            hint=f"known: {', '.join(sorted(ARCHITECTURES))}; --backend loopback plays the protocol of any machine",
        ) from cause


def debian_name(machine: str) -> str:
    """Debian's name of an architecture that `uname -m` names; the same word where no emulator knows it."""
    return next((name for name, known in ARCHITECTURES.items() if known.machine == machine), machine)
