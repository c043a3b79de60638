"""Devices that are fenced off from rollouts, and the way back."""

from __future__ import annotations

import time
from typing import Any

from edgekit.core.errors import UsageError
from edgekit.flows.fleet.history import Histories
from edgekit.flows.inventory import inventory


def quarantines() -> dict[str, str]:
    """The devices of the inventory that are fenced off, and why."""
    histories, now_s = Histories.usual(), time.time()
    found = {name: histories.fenced(name, now_s) for name in inventory().entries()}
    return {name: because for name, because in found.items() if because is not None}


def release_device(name: str, reason: str) -> dict[str, Any]:
    """Let a device take part in rollouts again; the document that `edgekit devices release --json` prints.

    Args:
        name: of a device in the inventory.
        reason: what was found and mended, for whoever reads its history.

    Raises:
        UsageError: the reason is empty.
        InputError: the device is not quarantined.
        ConfigurationError: there is no such device.
    """
    if not reason.strip():
        raise UsageError("--reason is missing", hint="say what was found and mended: --reason TEXT")
    inventory().listed(name)
    because = Histories.usual().release(name, reason, time.time())
    return {"schema": "edgekit.released/1", "device": name, "quarantined": because, "reason": reason}
