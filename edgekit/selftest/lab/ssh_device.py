"""A device behind a real SSH server of its own process on 127.0.0.1, that can also be reached through a proxy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from edgekit.device.client import DeviceClient
from edgekit.device.session import AgentProgram, Session
from edgekit.emulators._identity import make_identity
from edgekit.emulators._network import free_port, wait_for_banner
from edgekit.transports import Endpoint, HostKey, Limits, Transport, Trust, transport_for

_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
_START_S = 30.0


class SshDevice:
    """The server of the loopback emulator. Use it as a context manager.

    Args:
        folder: empty; keys, log and the home of the user who logs in.

    Attributes:
        port: where it listens.
        root: where its agent keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "home" / ".edgekit"

    def __enter__(self) -> Self:
        (self._folder / "home").mkdir(mode=0o700, parents=True)
        identity = make_identity(self._folder, comment="edgekit-selftest")
        (self._folder / "authorized_key").write_text(f"{identity.client_public}\n", encoding="ascii")
        self._trust = Trust(host_keys=(HostKey.parse(identity.host_public),), identity_file=identity.client_key_file)
        self.port = free_port(self._folder / "emulators")
        log = self._folder / "server.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgekit.emulators._loopback_server", str(self._folder), str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_PACKAGE_PARENT), *filter(None, sys.path)])},
            )
        try:
            wait_for_banner(self.port, alive=lambda: self._process.poll() is None, log=log, timeout_s=_START_S)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def transport(self, *, scheme: str = "ssh", port: int | None = None, limits: Limits | None = None) -> Transport:
        """A way there, perhaps through a proxy on another port."""
        endpoint = Endpoint(scheme=scheme, user="root", host="127.0.0.1", port=port or self.port)
        return transport_for(endpoint, trust=self._trust, limits=limits)

    def client(
        self,
        *,
        scheme: str = "ssh",
        port: int | None = None,
        limits: Limits | None = None,
        program: AgentProgram | None = None,
    ) -> DeviceClient:
        """A client of its agent."""
        return DeviceClient(Session(self.transport(scheme=scheme, port=port, limits=limits), agent=program))

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
