"""This machine as a device: the agent runs as a child process, with a root folder of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

from edgekit.transports._base import ByteChannel, Transport
from edgekit.transports._pipes import PipeChannel


class LocalTransport(Transport):
    """`local://` (root folder $EDGEKIT_LOCAL_ROOT, or in the user's data folder) or `local:///absolute/root`.

    The child is this interpreter, isolated (`-I`): it sees the packages of our environment, so the runtimes
    installed beside edgekit are the device's runtimes.
    """

    scheme = "local"
    summary = "this machine, as a child process"
    is_remote = False

    def root(self) -> Path:
        """The device's root folder."""
        chosen = self.endpoint.path or os.environ.get("EDGEKIT_LOCAL_ROOT")
        return Path(chosen) if chosen else platformdirs.user_data_path("edgekit") / "local-device"

    def _open(self) -> None:
        pass

    def _start(self, program: str) -> ByteChannel:
        return PipeChannel(
            [sys.executable, "-I", "-c", program],
            endpoint=self.endpoint,
            limits=self.limits,
            environment={**os.environ, "EDGEKIT_ROOT": str(self.root().absolute())},
        )

    def _close(self) -> None:
        pass


TRANSPORT = LocalTransport
