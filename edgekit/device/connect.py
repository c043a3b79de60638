"""From an inventory entry to a client."""

from __future__ import annotations

from edgekit.core.device_entry import DeviceEntry
from edgekit.device.client import DeviceClient
from edgekit.device.session import Session
from edgekit.device.trust import trust_for
from edgekit.transports import Endpoint, Limits, transport_for


def connect(entry: DeviceEntry, *, limits: Limits | None = None) -> DeviceClient:
    """A client of the device, which opens the connection when it is entered as a context manager.

    Args:
        entry: which device.
        limits: time limits; None means the defaults.

    Raises:
        ConfigurationError: the entry's URL or keys are malformed.
        HostKeyError: known_hosts cannot be used.
    """
    endpoint = Endpoint.parse(entry.url)
    return DeviceClient(Session(transport_for(endpoint, trust=trust_for(entry), limits=limits)))
