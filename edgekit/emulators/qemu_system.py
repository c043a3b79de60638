"""Runs a whole aarch64 machine under qemu-system: its own kernel, exact memory, real power cuts; needs no rights."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from edgekit.core.errors import EdgekitError, UnsupportedError
from edgekit.emulators._base import Emulator, Order, Started
from edgekit.emulators._disk import as_root, base_image, thin_layer, write_config_disk
from edgekit.emulators._kernel import kernel
from edgekit.emulators._machine import QEMU, READY, WAITS, Machine, cores_of, ram_bytes_of
from edgekit.emulators._network import wait_for_banner
from edgekit.emulators._packages import missing_keyring, missing_programs
from edgekit.emulators._processes import HostProcess, is_running, kill_tree
from edgekit.emulators._rootfs import rootfs
from edgekit.emulators._snapshot import own_files, snapshot
from edgekit.emulators._types import MachineSpec, Missing, StartedBy

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAMS = (QEMU, "qemu-img", "mke2fs", "apt-get", "dpkg-deb", "tar")
_BOOT_TIMEOUT_S = 180.0
_RESUME_TIMEOUT_S = 90.0


class SystemModeEmulator(Emulator):
    """One device is one QEMU process and one qcow2 layer over a shared disk image; no rights are needed.

    `kill` cuts the power: what the device's programs did not fsync is lost, as on an SD card. `power_on` boots the same
    disk, which replays its journal.
    """

    backend: ClassVar[str] = "system"
    summary: ClassVar[str] = "a whole aarch64 machine under qemu-system: own kernel, exact memory, real power cuts"

    def missing(self) -> list[Missing]:
        """QEMU and the tools that build its disk."""
        lacks = missing_programs(_PROGRAMS) + missing_keyring()
        if os.geteuid() != 0 and not lacks:
            try:
                as_root()
            except EdgekitError:
                lacks += missing_programs(["fakeroot"])
        return lacks

    def _start(self, order: Order) -> Started:
        spec = order.machine
        if spec.arch != "arm64":
            raise UnsupportedError(f"the system backend plays no {spec.arch} machine", hint="use --backend user")
        tree = rootfs(spec, cache_dir=order.cache_dir, on_event=order.on_event)
        loaded = kernel(spec, tree, cache_dir=order.cache_dir, on_event=order.on_event)
        machine = Machine(spec=spec, kernel=loaded, folder=order.folder, port=order.port)
        images = (tree.parent, loaded.folder)
        if not order.first:
            _boot(order, machine)
            return Started(note=_note(spec), images=images)
        base = base_image(spec, tree, cache_dir=order.cache_dir, on_event=order.on_event)
        write_config_disk(order.folder / "config.img", own_files(spec, name=order.name, identity=order.identity))
        try:
            saved = snapshot(spec, loaded, base, cache_dir=order.cache_dir, on_event=order.on_event)
            thin_layer(saved.disk, order.folder / "disk.qcow2", backing_format="qcow2")
            _resume(order, machine, saved.state)
        except EdgekitError as reason:
            order.on_event(f"no start from a snapshot ({reason.message}); booting instead")
            _discard(order.folder)
            thin_layer(base / "base.img", order.folder / "disk.qcow2", backing_format="raw")
            _boot(order, machine)
            return Started(note=_note(spec), images=(*images, base))
        return Started(note=_note(spec), started_by=StartedBy.SNAPSHOT, images=(*images, base, saved.folder))


def _resume(order: Order, machine: Machine, state: Path) -> None:
    """Continue from the saved state; the machine learns the time and its identity as its first act."""
    process = machine.start(register=order.register, incoming=state)
    try:
        machine.resume()
        _identify(order, machine, process, timeout_s=_RESUME_TIMEOUT_S)
    except BaseException:
        kill_tree(process)
        raise


def _boot(order: Order, machine: Machine) -> None:
    """Boot from the disk; only a new machine asks who it is."""
    _discard_sockets(order.folder)
    process = machine.start(register=order.register)
    if order.first:
        machine.wait_for_text(WAITS, process, timeout_s=_BOOT_TIMEOUT_S)
        _identify(order, machine, process, timeout_s=_BOOT_TIMEOUT_S)
    else:
        _await_ssh(order, machine, process, timeout_s=_BOOT_TIMEOUT_S)


def _identify(order: Order, machine: Machine, process: HostProcess, *, timeout_s: float) -> None:
    """Make a waiting machine this device. sshd is up before, but must not be spoken to while its keys change."""
    machine.tell_time()
    machine.wait_for_text(READY, process, timeout_s=timeout_s)
    _await_ssh(order, machine, process, timeout_s=timeout_s)


def _await_ssh(order: Order, machine: Machine, process: HostProcess, *, timeout_s: float) -> None:
    wait_for_banner(order.port, alive=lambda: is_running(process), log=machine.log, timeout_s=timeout_s)


def _discard(folder: Path) -> None:
    for name in ("disk.qcow2", "console.log"):
        (folder / name).unlink(missing_ok=True)


def _discard_sockets(folder: Path) -> None:
    for name in ("qmp", "serial"):
        (folder / name).unlink(missing_ok=True)


def _note(spec: MachineSpec) -> str:
    return (
        f"a whole emulated machine with a {spec.cpu}: {ram_bytes_of(spec) // 2**20} MiB of memory, exact, "
        f"and {cores_of(spec)} of {spec.cores} cores; latency is the emulator's"
    )


EMULATOR = SystemModeEmulator()
