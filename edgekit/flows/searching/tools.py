"""What a candidate works with: a workspace, the devices that may be held, and whether it has to stop."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.flows.searching.devices import DevicePool
from edgekit.flows.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Tools of one worker; they last as long as its candidate.

    Attributes:
        workspace: scratch folder, cache, child process and listener.
        devices: those of the request; `devices.hold(stopped)` gives one to measure on.
    """

    workspace: Workspace
    devices: DevicePool
