"""From an inventory entry to a client."""

from __future__ import annotations

from functools import partial

from edgekit.core.device_entry import DeviceEntry
from edgekit.device.client import DeviceClient
from edgekit.device.machines import recognise
from edgekit.device.rate import RateLimit
from edgekit.device.sealing import seal_for
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
        UsageError: its limit of bytes a second is too low.
        HostKeyError: known_hosts cannot be used.
        TrustError: when it is entered: another machine answers under this name than before.
    """
    endpoint = Endpoint.parse(entry.url)
    rate = None if entry.bytes_per_s is None else RateLimit(entry.bytes_per_s)
    session = Session(transport_for(endpoint, trust=trust_for(entry), limits=limits), rate=rate)
    return DeviceClient(session, on_hello=partial(recognise, entry), seal=seal_for(entry))
