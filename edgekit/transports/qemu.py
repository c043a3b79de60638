"""A microcontroller board in QEMU as a device: the agent on this machine keeps its releases and plays the board."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from edgekit.transports.local import LocalTransport


class QemuTransport(LocalTransport):
    """`qemu://NAME`: the board NAME, with a folder of its own under $EDGEKIT_STATE_DIR or the user's state folder.

    A board has no operating system that an agent could run on, so the agent runs here, with the same releases, locks
    and checks as on every device, and its runner `cortex_m` starts the emulator with the image that is active.
    """

    scheme = "qemu"
    summary = "an emulated microcontroller board"
    is_remote = False

    def root(self) -> Path:
        """The board's folder."""
        chosen = os.environ.get("EDGEKIT_STATE_DIR")
        folder = Path(chosen) if chosen else platformdirs.user_state_path("edgekit")
        return folder / "boards" / self.endpoint.host


TRANSPORT = QemuTransport
