"""A machine saved just before it learns who it is, from which new devices start in a second."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from edgekit.core.digest import sha256_file
from edgekit.emulators._cache import STAMP, cached
from edgekit.emulators._commands import run
from edgekit.emulators._device_files import DeviceFile, device_files
from edgekit.emulators._disk import thin_layer, write_config_disk
from edgekit.emulators._identity import Identity, make_identity
from edgekit.emulators._machine import QEMU, WAITS, Machine, cores_of, hardware
from edgekit.emulators._processes import HostProcess, kill_tree

if TYPE_CHECKING:
    from pathlib import Path

    from edgekit.emulators._base import OnText
    from edgekit.emulators._kernel import Kernel
    from edgekit.emulators._types import MachineSpec

_BOOT_TIMEOUT_S = 180.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A saved machine: its state, and its disk at that moment. Neither is ever written to again."""

    folder: Path

    @property
    def state(self) -> Path:
        """QEMU's migration stream."""
        return self.folder / "state"

    @property
    def disk(self) -> Path:
        """The disk's layer over the base image."""
        return self.folder / "disk.qcow2"


def snapshot(spec: MachineSpec, kernel: Kernel, base: Path, *, cache_dir: Path, on_event: OnText) -> Snapshot:
    """The snapshot for this machine, made now by one boot if it is not in the cache.

    A state loads only into the same QEMU with the same hardware over the same disk, so all of that is its recipe.

    Args:
        spec: the machine.
        kernel: what it boots.
        base: folder of the base image.
        cache_dir: root of the cache.
        on_event: gets one line for each step.

    Raises:
        DeviceError, DeadlineError: the machine did not boot.
        StorageError: the disk is full.
    """
    recipe = {
        "qemu": run([QEMU, "--version"], timeout_s=20).splitlines()[0],
        "hardware": hardware(spec),
        "kernel": kernel.digest,
        "base": sha256_file(base / STAMP),
        "machine": asdict(spec),
    }

    def build(folder: Path) -> None:
        on_event("booting once, to save a snapshot from which later devices start")
        thin_layer(base / "base.img", folder / "disk.qcow2", backing_format="raw")
        placeholder = make_identity(folder / "placeholder", comment="edgekit-snapshot")
        write_config_disk(folder / "config.img", own_files(spec, name="snapshot", identity=placeholder))
        machine = Machine(spec=spec, kernel=kernel, folder=folder, port=None)
        started: list[HostProcess] = []
        try:
            process = machine.start(register=started.append)
            machine.wait_for_text(WAITS, process, timeout_s=_BOOT_TIMEOUT_S)
            machine.save_and_end(folder / "state", process)
        finally:
            for process in started:
                kill_tree(process)
        shutil.rmtree(folder / "placeholder")
        for name in ("qmp", "serial", "config.img"):
            (folder / name).unlink(missing_ok=True)

    return Snapshot(folder=cached(cache_dir, "snapshot", recipe, build, must_hold=("state", "disk.qcow2")))


def own_files(spec: MachineSpec, *, name: str, identity: Identity) -> list[DeviceFile]:
    """What the identity disk of a device holds."""
    files = device_files(spec, name=name, identity=identity, cores=cores_of(spec))
    return [*files, DeviceFile(path="etc/edgekit/seed", data=secrets.token_bytes(64), mode=0o600)]
