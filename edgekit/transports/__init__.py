"""Ways to start one constant program on a device and talk to its three streams, one URL scheme a file."""

from __future__ import annotations

from edgekit.core.registry import TRANSPORTS
from edgekit.transports._base import ByteChannel, Limits, Transport
from edgekit.transports._endpoint import Endpoint
from edgekit.transports._known_hosts import KnownHosts
from edgekit.transports._printable import printable
from edgekit.transports._trust import HostKey, Trust, fingerprint

__all__ = [
    "ByteChannel",
    "Endpoint",
    "HostKey",
    "KnownHosts",
    "Limits",
    "Transport",
    "Trust",
    "fingerprint",
    "printable",
    "transport_for",
]


def transport_for(endpoint: Endpoint, *, trust: Trust | None = None, limits: Limits | None = None) -> Transport:
    """The transport of an endpoint's scheme, not opened yet.

    Args:
        endpoint: where the device is.
        trust: whom to believe and how to log in; a local device needs none.
        limits: time limits; None means the defaults.

    Raises:
        UnsupportedError: no transport has this scheme.
    """
    made: Transport = TRANSPORTS.load(endpoint.scheme)(endpoint, trust or Trust(), limits or Limits())
    return made
