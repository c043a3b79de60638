"""Runs each Arm program of a Debian root under qemu-user on the host's kernel: up in a second, needs root."""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from pathlib import Path
from typing import ClassVar

from edgekit.core.errors import DeviceError, InputError, UnsupportedError
from edgekit.core.files import write_atomically
from edgekit.emulators._architecture import architecture_of
from edgekit.emulators._base import Emulator, Order, Started
from edgekit.emulators._binfmt import register
from edgekit.emulators._cgroup import limit_memory, release_memory_limit
from edgekit.emulators._commands import PATH, run
from edgekit.emulators._counter.layer import COUNTER, counting_layer
from edgekit.emulators._device_files import core_of, device_files
from edgekit.emulators._network import wait_for_banner
from edgekit.emulators._packages import missing_keyring, missing_programs, missing_root
from edgekit.emulators._preinstalled import layer_of_wheels
from edgekit.emulators._processes import is_running, spawn
from edgekit.emulators._rootfs import rootfs
from edgekit.emulators._types import MachineSpec, Missing

_PROGRAMS = ("qemu-aarch64-static", "apt-get", "dpkg-deb", "tar", "unshare", "mount", "taskset", "setpriv", "chroot")
_BOOT_SCRIPT = Path(__file__).with_name("_user_boot.sh")
_NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child")
_BANNER_TIMEOUT_S = 60.0
# Separators of overlayfs mount options.
_UNMOUNTABLE = frozenset(":,\\")


class UserModeEmulator(Emulator):
    """One device is a set of namespaces, an overlay over the shared tree, and an Arm sshd.

    Its disk is a tmpfs mounted on the host, so it outlives the device's processes: `kill` and `power_on` keep it. What
    such a power cut cannot show is the loss of unsynced data; the system backend shows that.
    """

    backend: ClassVar[str] = "user"
    summary: ClassVar[str] = "Arm programs under qemu-user in a Debian root of their own, on the host's kernel"
    preinstalls: ClassVar[bool] = True

    def missing(self) -> list[Missing]:
        """Root rights, an x86-64 host, QEMU, and the tools that build the root tree."""
        lacks = missing_root() + missing_programs(_PROGRAMS) + missing_keyring()
        if platform.machine() != "x86_64":
            lacks.append(Missing(what="an x86-64 host", remedy="use --backend system"))
        return lacks

    def _start(self, order: Order) -> Started:
        core_of(order.machine)
        register(architecture_of(order.machine).qemu, order.on_event)
        layers = [rootfs(order.machine, cache_dir=order.cache_dir, on_event=order.on_event)]
        if order.machine.wheels:
            layers.insert(0, layer_of_wheels(order.machine, cache_dir=order.cache_dir, on_event=order.on_event))
        uncounted = _add_counter(layers, order)
        _require_mountable(*layers, order.folder)
        if order.first:
            _make_disk(order)
        elif not os.path.ismount(order.folder / "disk"):
            raise InputError(
                f"the disk of {order.name} is gone: the host was restarted since",
                hint=f"edgekit emulator down {order.name}",
            )
        group = limit_memory(order.folder, order.machine.ram_bytes + order.machine.disk_bytes)
        _launch(order, layers, group)
        images = tuple(layer.parent for layer in layers)
        return Started(note=_note(order.machine, limited=group is not None, uncounted=uncounted), images=images)

    def _release(self, folder: Path) -> None:
        if os.path.ismount(folder / "disk"):
            run(["umount", "--lazy", folder / "disk"], timeout_s=20)
        release_memory_limit(folder)


def _add_counter(layers: list[Path], order: Order) -> str | None:
    """Add the layer that counts instructions; where it cannot be made, why not."""
    try:
        qemu = architecture_of(order.machine).qemu
        layers.append(counting_layer(qemu=qemu, cache_dir=order.cache_dir, on_event=order.on_event))
    except (UnsupportedError, DeviceError) as reason:
        return f"{reason.message} ({reason.hint})"
    return None


def _make_disk(order: Order) -> None:
    """Mount the empty disk and put the device's own files on it."""
    disk = order.folder / "disk"
    disk.mkdir()
    (order.folder / "root").mkdir()
    options = f"size={order.machine.disk_bytes},mode=0700,nosuid,nodev"
    run(["mount", "-t", "tmpfs", "-o", options, f"edgekit-{order.name}", disk], timeout_s=10)
    (disk / "work").mkdir()
    files = device_files(
        order.machine,
        name=order.name,
        identity=order.identity,
        cores=order.machine.cores,
        environment={"EDGEKIT_COUNTER": COUNTER},
    )
    for file in files:
        path = disk / "upper" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)
    for folder in (disk / "upper", *(path for path in (disk / "upper").rglob("*") if path.is_dir())):
        folder.chmod(0o755)  # whatever our umask is
    for private in ("root", "root/.ssh"):
        (disk / "upper" / private).chmod(0o700)


def _launch(order: Order, layers: list[Path], group: Path | None) -> None:
    """Start the device's first process over these read-only layers, topmost first; wait for its SSH server."""
    # A new id for each time it is switched on, as on a real machine; the host's would never change.
    boot_id = order.folder / "boot_id"
    write_atomically(boot_id, f"{uuid.uuid4()}\n".encode())
    cpus = sorted(os.sched_getaffinity(0))[: order.machine.cores]
    argv = [
        _program("taskset"),
        "--cpu-list",
        ",".join(map(str, cpus)),
        _program("unshare"),
        *_NAMESPACES,
        "/bin/sh",
        str(_BOOT_SCRIPT),
        str(order.folder),
        ":".join(map(str, layers)),
        order.name,
        str(order.port),
        order.machine.cpu,
        str(boot_id),
        str(group or ""),
    ]
    log = order.folder / "console.log"
    process = spawn(argv, log=log, env={"PATH": PATH})
    order.register(process)
    wait_for_banner(order.port, alive=lambda: is_running(process), log=log, timeout_s=_BANNER_TIMEOUT_S)


def _program(name: str) -> str:
    return shutil.which(name, path=PATH) or name


def _require_mountable(*paths: Path) -> None:
    for path in paths:
        if _UNMOUNTABLE & set(str(path)):
            raise InputError(f"{path} cannot be mounted: its name has one of : , \\", hint="choose another folder")


def _note(machine: MachineSpec, *, limited: bool, uncounted: str | None) -> str:
    memory = "memory is limited but includes QEMU's own" if limited else "memory is not limited"
    counts = "instructions are counted exactly" if uncounted is None else f"instructions are not counted: {uncounted}"
    return (
        f"real {machine.arch} programs on an emulated {machine.cpu}; the kernel is the host's, "
        f"latency is the emulator's, {memory}; {counts}"
    )


EMULATOR = UserModeEmulator()
