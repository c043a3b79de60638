"""The three ways in which a device's identity can be wrong, told the same by every SSH transport."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.core.errors import HostKeyError
from edgekit.transports._endpoint import Endpoint
from edgekit.transports._trust import HostKey


def unknown_host_key(endpoint: Endpoint, shown: HostKey | None) -> HostKeyError:
    """Nothing is known of this device; `shown` is the key that it presents, if one was seen."""
    seen = f"; it shows {shown.type} {shown.fingerprint}" if shown else ""
    return HostKeyError(
        f"the host key of {endpoint} is not known{seen}",
        hint="compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the device, then "
        + (f"edgekit devices trust NAME --fingerprint {shown.fingerprint}" if shown else "edgekit devices trust NAME"),
        shown=str(shown) if shown else None,
        fingerprint=shown.fingerprint if shown else None,
    )


def changed_host_key(endpoint: Endpoint, pinned: Sequence[HostKey], shown: HostKey | None) -> HostKeyError:
    """The device shows another key than the pinned ones, or has none of their types."""
    wanted = ", ".join(f"{key.type} {key.fingerprint}" for key in pinned)
    seen = f"shows {shown.type} {shown.fingerprint}" if shown else "shows another key, or none of this type"
    return HostKeyError(
        f"{endpoint} is not the device that we know: pinned is {wanted}, it {seen}",
        hint="someone may be in between; if the device was set up anew, remove it and add it again",
        pinned=[str(key) for key in pinned],
        shown=str(shown) if shown else None,
    )


def revoked_host_key(endpoint: Endpoint, shown: HostKey | None) -> HostKeyError:
    """The device shows a key that is marked as revoked."""
    which = f" {shown.fingerprint}" if shown else ""
    return HostKeyError(
        f"the host key{which} of {endpoint} is marked as revoked",
        hint="give the device a new host key, and remove the @revoked line only if it was a mistake",
        shown=str(shown) if shown else None,
    )
