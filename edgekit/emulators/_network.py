"""Ports on 127.0.0.1: finding a free one, and waiting until an SSH server speaks on it."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import DeadlineError, DeviceError, NetworkError
from edgekit.emulators._records import list_devices

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOPBACK = "127.0.0.1"
_LOWEST_PORT = 10_000
_BANNER_WAIT_S = 2.0
_RETRY_S = 0.03


def _first_ephemeral_port() -> int:
    """Where the kernel starts to hand out ports to outgoing connections."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def free_port(state_dir: Path) -> int:
    """A free TCP port below the ephemeral range, so that it is still free when the device is switched on again.

    Args:
        state_dir: ports of the devices recorded there are left alone, also while those are off.

    Raises:
        NetworkError: no free port was found.
    """
    taken = {device.port for device in list_devices(state_dir)}
    ports = range(_LOWEST_PORT, max(_first_ephemeral_port(), _LOWEST_PORT + 5000))
    for _ in range(200):
        port = random.choice(ports)  # noqa: S311  # not a secret
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
        return port
    raise NetworkError(
        "found no free TCP port on 127.0.0.1", hint="edgekit emulator list shows the devices that are up"
    )


def wait_for_banner(port: int, *, alive: Callable[[], bool], log: Path, timeout_s: float) -> None:
    """Return when the first bytes of an SSH server arrive.

    An open port proves nothing: QEMU's user network accepts connections before the guest listens.

    Args:
        port: on 127.0.0.1.
        alive: whether the device's process lives.
        log: the device's console; its end goes into the error.
        timeout_s: how long to wait.

    Raises:
        DeviceError: the device died.
        DeadlineError: it did not speak in time.
    """
    started = time.monotonic()
    deadline = started + timeout_s
    while time.monotonic() < deadline:
        # Each call that we give up costs the device a process, so a slow one is given more and more time.
        patience_s = max(_BANNER_WAIT_S, (time.monotonic() - started) / 3)
        speaks = _banner(port, patience_s).startswith(b"SSH-")
        if not alive():  # whoever spoke, it was not the device
            raise DeviceError("the emulated device died before SSH answered", hint=f"its console said: {tail(log)}")
        if speaks:
            return
        time.sleep(_RETRY_S)
    raise DeadlineError(
        f"the emulated device did not answer on SSH within {timeout_s:.0f} s", hint=f"its console said: {tail(log)}"
    )


def _banner(port: int, patience_s: float) -> bytes:
    try:
        with socket.create_connection((_LOOPBACK, port), timeout=patience_s) as connection:
            return connection.recv(64)
    except OSError:
        return b""


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a text file, joined by ' | '; "nothing" when there are none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "nothing"
    return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip()) or "nothing"
