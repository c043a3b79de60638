"""Running qemu-system-aarch64: its command line, its console, and its state saved and loaded."""

from __future__ import annotations

import shlex
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.core.errors import DeadlineError, DeviceError, StorageError
from edgekit.emulators._commands import PATH
from edgekit.emulators._network import tail
from edgekit.emulators._processes import HostProcess, is_running, kill_tree, spawn
from edgekit.emulators._qmp import Qmp, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgekit.emulators._kernel import Kernel
    from edgekit.emulators._types import MachineSpec

QEMU = "qemu-system-aarch64"
MAX_RAM_BYTES = 2**30
MAX_CORES = 2
WAITS = "EDGEKIT-WAITS"
"""What a new machine writes to its console when it wants to know the time and who it is (see _system_identify.sh)."""
READY = "EDGEKIT-READY"
"""What it writes when it has become that device, durably."""

_ANSWER_S = 20.0
_MIGRATE_S = 60.0
_POLL_S = 0.02
_UNLIMITED = 2**40
_SETTLED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One QEMU, as it is to be started.

    Attributes:
        spec: what to play; memory and cores are capped.
        kernel: what it boots.
        folder: holds disk.qcow2 and config.img, and gets console.log and the sockets qmp and serial.
        port: on 127.0.0.1, leads to port 22 of the machine; None for a machine without visitors.
    """

    spec: MachineSpec
    kernel: Kernel
    folder: Path
    port: int | None

    @property
    def log(self) -> Path:
        """The console's text, and what QEMU itself says."""
        return self.folder / "console.log"

    def start(self, *, register: Callable[[HostProcess], None], incoming: Path | None = None) -> HostProcess:
        """Start QEMU.

        Args:
            register: is told the process at once.
            incoming: a saved state to continue from; then `resume` must follow.

        Raises:
            DeviceError: QEMU is not there.
        """
        program = shutil.which(QEMU, path=PATH)
        if program is None:
            raise DeviceError(f"{QEMU} is not installed", hint="scripts/setup_emulators installs it")
        forward = "" if self.port is None else f",hostfwd=tcp:127.0.0.1:{self.port}-:22"
        argv = [
            # Relative socket names, because the path of a Unix socket may have 107 bytes only.
            *("/usr/bin/env", "--chdir", str(self.folder), program, *hardware(self.spec)),
            *("-kernel", str(self.kernel.image), "-initrd", str(self.kernel.initramfs)),
            *("-drive", "if=none,id=disk,file=disk.qcow2,format=qcow2"),
            *("-drive", "if=none,id=config,file=config.img,format=raw,readonly=on"),
            *("-netdev", f"user,id=net,restrict=on{forward}"),
            *("-chardev", "socket,id=serial,path=serial,server=on,wait=off,logfile=console.log,logappend=on"),
            *("-qmp", "unix:qmp,server=on,wait=off"),
            *(() if incoming is None else ("-incoming", f"exec:cat {shlex.quote(str(incoming))}")),
        ]
        process = spawn(argv, log=self.log, env={"PATH": PATH})
        register(process)
        return process

    def wait_for_text(self, text: str, process: HostProcess, *, timeout_s: float) -> None:
        """Return when the console has shown the text.

        Raises:
            DeviceError: QEMU ended first.
            DeadlineError: it was not shown in time.
        """
        deadline = time.monotonic() + timeout_s
        while text not in self.log.read_text(encoding="utf-8", errors="replace"):
            if not is_running(process):
                raise DeviceError("the emulated machine ended while it booted", hint=f"its console: {tail(self.log)}")
            if time.monotonic() > deadline:
                raise DeadlineError(f"no boot within {timeout_s:.0f} s", hint=f"its console: {tail(self.log)}")
            time.sleep(_POLL_S)

    def tell_time(self) -> None:
        """Answer a machine that waits: the time, after which it reads its identity and goes on."""
        with connect(self.folder, "serial", timeout_s=_ANSWER_S) as console:
            console.sendall(f"{time.time():.0f}\n".encode())
            # A line that is still on its way when we hang up is lost; the terminal's echo says that it has arrived.
            try:
                console.makefile("rb").readline()
            except TimeoutError as cause:
                raise DeadlineError("the machine does not read its console", hint=tail(self.log)) from cause

    def resume(self) -> None:
        """Let a machine that was started from a saved state run, as soon as all of it is loaded."""
        with Qmp(self.folder, timeout_s=_ANSWER_S) as qmp:
            # The saved machine was stopped, so the loaded one is too.
            qmp.wait_until("query-status", lambda answer: answer["status"] == "paused", timeout_s=_MIGRATE_S)
            qmp.execute("cont")

    def save_and_end(self, state: Path, process: HostProcess) -> None:
        """Stop the machine, write its state to a file, end QEMU.

        The state belongs to exactly the disk as it is then.

        Raises:
            StorageError: the state could not be written.
            DeviceError, DeadlineError: QEMU died or does not answer.
        """
        with Qmp(self.folder, timeout_s=_ANSWER_S) as qmp:
            qmp.execute("stop")
            qmp.execute("migrate-set-parameters", max_bandwidth=_UNLIMITED)
            qmp.execute("migrate", uri=f"exec:cat > {shlex.quote(str(state))}")
            qmp.wait_until("query-migrate", lambda answer: answer.get("status") in _SETTLED, timeout_s=_MIGRATE_S)
            if (status := qmp.execute("query-migrate")["status"]) != "completed":
                raise StorageError(f"QEMU could not save the machine to {state}: {status}", hint="is the disk full?")
            # The last blocks of the disk's layer are flushed by an orderly end.
            qmp.execute("quit")
        deadline = time.monotonic() + _ANSWER_S
        while is_running(process) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        kill_tree(process)


def hardware(spec: MachineSpec) -> list[str]:
    """The part of the command line that a saved state depends on."""
    command_line = "console=ttyAMA0 root=/dev/vda rw quiet nokaslr panic=5"
    return [
        *("-M", "virt,gic-version=2", "-cpu", spec.cpu, "-accel", "tcg,thread=multi,tb-size=256"),
        *("-smp", str(cores_of(spec)), "-m", f"{ram_bytes_of(spec) // 2**20}M"),
        *("-nodefaults", "-display", "none", "-append", command_line),
        *("-serial", "chardev:serial", "-device", "virtio-rng-pci"),
        *("-device", "virtio-blk-pci,drive=disk", "-device", "virtio-blk-pci,drive=config"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
    ]


def ram_bytes_of(spec: MachineSpec) -> int:
    """The memory that this backend gives: the machine's, at most 1 GiB of the host's."""
    return min(spec.ram_bytes, MAX_RAM_BYTES)


def cores_of(spec: MachineSpec) -> int:
    """The cores that this backend gives: the machine's, at most two, each a busy thread of the host."""
    return min(spec.cores, MAX_CORES)
