"""QEMU's control socket: one JSON object a line (QEMU Machine Protocol)."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Self

from edgekit.core.errors import DeadlineError, DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_POLL_S = 0.02


def connect(folder: Path, name: str, *, timeout_s: float) -> socket.socket:
    """Connect to a Unix socket in a folder, however long the folder's path is (sun_path holds 107 bytes).

    Raises:
        DeadlineError: nobody listened in time.
    """
    deadline = time.monotonic() + timeout_s
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout_s)
            try:
                connection.connect(f"/proc/self/fd/{handle}/{name}")
            except OSError as cause:
                connection.close()
                if time.monotonic() > deadline:
                    raise DeadlineError(f"QEMU did not open {folder / name} within {timeout_s:.0f} s") from cause
                time.sleep(_POLL_S)
            else:
                return connection
    finally:
        os.close(handle)


class Qmp:
    """A conversation with one QEMU.

    Args:
        folder: holds the socket `qmp`.
        timeout_s: limit of every answer.
    """

    def __init__(self, folder: Path, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._socket = connect(folder, "qmp", timeout_s=timeout_s)
        self._lines = self._socket.makefile("rb")
        self._answer()  # the greeting
        self.execute("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """Run a command and return its result.

        Raises:
            DeviceError: QEMU refused or died.
            DeadlineError: it did not answer in time.
        """
        request = {"execute": command, "arguments": {key.replace("_", "-"): value for key, value in arguments.items()}}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as cause:
            raise DeviceError(f"QEMU is gone: {cause.strerror}") from cause
        while True:
            answer = self._answer()
            if "error" in answer:
                raise DeviceError(f"QEMU refuses {command}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]

    def wait_until(self, command: str, done: Callable[[dict[str, Any]], bool], *, timeout_s: float) -> None:
        """Ask again and again until the answer satisfies `done`.

        Raises:
            DeadlineError: it does not within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not done(self.execute(command)):
            if time.monotonic() > deadline:
                raise DeadlineError(f"QEMU's {command} did not settle within {timeout_s:.0f} s")
            time.sleep(_POLL_S)

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except TimeoutError as cause:
            raise DeadlineError(f"QEMU did not answer within {self._timeout_s:.0f} s") from cause
        except OSError as cause:
            raise DeviceError(f"QEMU is gone: {cause.strerror}") from cause
        if not line:
            raise DeviceError("QEMU is gone")
        answer: dict[str, Any] = json.loads(line)
        return answer
