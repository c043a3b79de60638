"""What is on a device, and the way back to the release before."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import InputError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.device.connect import connect
from edgekit.device.machines import twins
from edgekit.device.watermarks import Watermarks, regress


def device_status(entry: DeviceEntry, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """The document that `edgekit status --json` prints."""
    on_event(Event(phase="connect", message=f"connecting to {entry.name}"))
    with connect(entry) as device:
        status, hello = device.status(), device.hello
    gone_back = regress(Watermarks().get(entry.name), entry.name, status)
    warnings = (*status.warnings, *twins(entry, hello), *([gone_back] if gone_back else ()))
    found = {key: value for key, value in asdict(status).items() if key != "manifest"}
    return {
        "schema": "edgekit.status/1",
        "device": entry.name,
        "emulator": entry.emulator,
        "machine": hello.machine,
        "python": hello.python,
        **found,
        "warnings": list(warnings),
    }


def roll_back(entry: DeviceEntry, *, to: str | None = None, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Make an earlier release active; the document that `edgekit rollback --json` prints.

    Args:
        entry: the device.
        to: digest of the release, or its first digits; None means the previous one.
        on_event: listener.

    Raises:
        InputError: no release on the device, or more than one, begins with these digits.
    """
    on_event(Event(phase="rollback", message=f"rolling back {entry.name}"))
    with connect(entry) as device:
        digest = None if to is None else release_named(device.status().releases, to)
        result = device.rollback(digest)
    return {"schema": "edgekit.rollback/1", "device": entry.name, "active": result.active, "previous": result.previous}


def release_named(releases: tuple[str, ...], prefix: str) -> str:
    """The digest that begins so.

    Raises:
        InputError: no release, or more than one, does.
    """
    found = [digest for digest in releases if digest.startswith(prefix)]
    if len(found) != 1:
        known = ", ".join(digest[:12] for digest in releases) or "none"
        raise InputError(f"{len(found)} releases on the device begin with {prefix!r}", hint=f"it has {known}")
    return found[0]
