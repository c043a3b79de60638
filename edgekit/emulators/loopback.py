"""Not an Arm machine at all: the host's own Python behind a real SSH server, for hosts that can emulate nothing."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekit.emulators._base import Emulator, Order, Started
from edgekit.emulators._commands import PATH
from edgekit.emulators._network import wait_for_banner
from edgekit.emulators._processes import is_running, spawn

if TYPE_CHECKING:
    from edgekit.emulators._types import Missing

_SERVER = "edgekit.emulators._loopback_server"
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_BANNER_TIMEOUT_S = 30.0


class LoopbackEmulator(Emulator):
    """A paramiko server in a process of its own; each command runs in the device's own home folder."""

    backend: ClassVar[str] = "loopback"
    summary: ClassVar[str] = "the host's own Python behind a real SSH server; not aarch64, needs nothing"

    def missing(self) -> list[Missing]:
        """Nothing."""
        return []

    def _start(self, order: Order) -> Started:
        (order.folder / "home").mkdir(mode=0o700, exist_ok=True)
        (order.folder / "authorized_key").write_text(f"{order.identity.client_public}\n", encoding="ascii")
        log = order.folder / "console.log"
        env = {"PATH": PATH, "PYTHONPATH": os.pathsep.join([str(_PACKAGE_PARENT), *_extra_paths()])}
        argv = [sys.executable, "-m", _SERVER, str(order.folder), str(order.port)]
        process = spawn(argv, log=log, env=env)
        order.register(process)
        wait_for_banner(order.port, alive=lambda: is_running(process), log=log, timeout_s=_BANNER_TIMEOUT_S)
        return Started(
            note=f"not {order.machine.arch}: the host's own Python on {platform.machine()}; only SSH is real, "
            "and neither cores, memory nor disk are limited"
        )


def _extra_paths() -> list[str]:
    """Folders that our own caller was given, so that the server finds the same packages."""
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


EMULATOR = LoopbackEmulator()
