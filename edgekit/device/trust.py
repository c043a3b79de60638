"""From an inventory entry to what a connection needs: host keys, revoked keys and one identity file."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import HostKeyError, UnsupportedError
from edgekit.transports import Endpoint, HostKey, KnownHosts, Limits, Trust


def known_hosts_path() -> Path:
    """OpenSSH's known_hosts of the user, or $EDGEKIT_KNOWN_HOSTS."""
    chosen = os.environ.get("EDGEKIT_KNOWN_HOSTS")
    return Path(chosen) if chosen else Path("~/.ssh/known_hosts").expanduser()


def identity_path(entry: DeviceEntry) -> Path | None:
    """The one private key to use: the entry's, else $EDGEKIT_KEY, else ~/.ssh/id_ed25519 if it is there."""
    if entry.identity_file is not None:
        return entry.identity_file.expanduser()
    if chosen := os.environ.get("EDGEKIT_KEY"):
        return Path(chosen).expanduser()
    usual = Path("~/.ssh/id_ed25519").expanduser()
    return usual if usual.is_file() else None


def trust_for(entry: DeviceEntry) -> Trust:
    """What to trust for a device: the entry's pins, or what known_hosts says when it has none.

    A key that known_hosts marks as revoked is refused in both cases.

    Raises:
        HostKeyError: known_hosts cannot be trusted itself, or knows only a certificate authority.
    """
    endpoint = Endpoint.parse(entry.url)
    if endpoint.scheme == "local":
        return Trust()
    known = KnownHosts.load(known_hosts_path())
    pins = tuple(HostKey.parse(text) for text in entry.host_keys)
    return Trust(
        host_keys=pins or known.keys(endpoint),
        revoked=known.revoked(endpoint),
        identity_file=identity_path(entry),
    )


def scan_host_key(entry: DeviceEntry, *, limits: Limits | None = None) -> HostKey:
    """Ask the device for its host key, without logging in.

    Raises:
        UnsupportedError: the transport has no host keys.
        NetworkError: the device cannot be reached.
        HostKeyError: the key is marked as revoked.
    """
    from edgekit.transports.ssh import SshTransport  # paramiko takes 0.3 s to import

    endpoint = Endpoint.parse(entry.url)
    if endpoint.scheme not in ("ssh", "openssh"):
        raise UnsupportedError(f"{entry.url} has no host key", hint="only ssh:// and openssh:// devices have one")
    asked = Endpoint(scheme="ssh", user=endpoint.user, host=endpoint.host, port=endpoint.port)
    shown = SshTransport(asked, Trust(), limits or Limits()).scan()
    if shown in KnownHosts.load(known_hosts_path()).revoked(endpoint):
        raise HostKeyError(
            f"the host key {shown.fingerprint} of {endpoint} is marked as revoked", hint="replace it there"
        )
    return shown
