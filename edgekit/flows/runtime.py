"""The runtime on the device: there already, or provisioned from this computer; and the machine that it must be."""

from __future__ import annotations

from edgekit.config.targets import list_targets
from edgekit.core.device_entry import BOARD_SCHEME, DeviceEntry
from edgekit.core.errors import UnsupportedError
from edgekit.core.target import Target
from edgekit.device.client import DeviceClient
from edgekit.device.provision import needed, provision
from edgekit.flows.workspace import Workspace


def ensure_runtime(device: DeviceClient, runtime: str, *, offline: bool, tools: Workspace) -> None:
    """Make sure that a runtime works on the device; what the last probe found is believed.

    Raises:
        UnsupportedError: there is no wheel for this machine, or the runtime does not start there.
    """
    known = device.status().runtimes.get(runtime)
    if known is not None and known.ok:
        return
    tools.tell("runtime", f"looking for {runtime} on the device")
    if not needed(device, runtime, on_event=tools.on_event):
        return
    tools.tell("runtime", f"installing {runtime} on the device")
    provision(device, runtime, offline=offline, on_event=tools.on_event)  # proves that it works, or raises


def check_machine(device: DeviceClient, target: Target, name: str) -> None:
    """Refuse a device that is another kind of machine than the target.

    Raises:
        UnsupportedError: the architectures differ.
    """
    machine = device.hello.machine
    if not target.is_played and target.arch != machine:
        raise UnsupportedError(
            f"{name} is a {machine} machine, target {target.name} is {target.arch}",
            hint="choose the target that the device is: edgekit targets",
        )


def check_board(entry: DeviceEntry, target: Target) -> None:
    """Refuse a board that is another one than an image was linked for; its name or its entry says which it is.

    Args:
        entry: the device.
        target: what the image was compiled for.

    Raises:
        UnsupportedError: it is another board.
    """
    if target.board is None:
        return
    named = entry.target or entry.url.removeprefix(f"{BOARD_SCHEME}://")
    if named != target.name and (entry.target is not None or named in list_targets()):
        raise UnsupportedError(
            f"{entry.name} is a {named}, and the image was compiled for {target.name}",
            hint=f"edgekit compile MODEL --target {named}, or choose the device that it is for",
        )
