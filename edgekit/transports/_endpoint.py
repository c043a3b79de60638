"""Where a device is, parsed from a URL so strictly that no part of it can become an option or a command."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from edgekit.core.errors import ConfigurationError
from edgekit.transports._printable import printable

DEFAULT_SSH_PORT = 22

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9_]*)://"
    r"(?:(?P<user>[^@/]*)@)?"
    r"(?P<host>\[[^\]/@]*\]|[^:/@\[\]]*)"
    r"(?::(?P<port>[^/@]*))?"
    r"(?P<path>/.*)?"
)
_PASSWORD = re.compile(r"(://[^:@]*):.*@", re.DOTALL)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_ZONE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_EXAMPLE = "write it like ssh://pi@raspberrypi.local or ssh://pi@[fe80::1%eth0]:2222"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a device is and who we are there.

    Attributes:
        scheme: name of the transport.
        user: login name; empty for a local device and a board.
        host: name or address, without brackets, a link-local address with its zone; the name of an emulated board;
            empty for a local device.
        port: TCP port; 0 for a local device and a board.
        path: absolute root folder of a local device; empty means the default one.
    """

    scheme: str
    user: str = ""
    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read `scheme://user@host:port`, `local:///absolute/folder` or `qemu://board`.

        Raises:
            ConfigurationError: any part is missing, out of range or of unexpected characters.
        """
        match = _URL.fullmatch(url) if len(url) <= 1024 and url.isprintable() else None
        url = _PASSWORD.sub(r"\1:***@", url)  # for messages
        if match is None:
            raise ConfigurationError(f"'{printable(url, limit=200)}' is not a device URL", hint=_EXAMPLE)
        scheme, user, host, port, path = match.group("scheme", "user", "host", "port", "path")
        if scheme == "local":
            if user is not None or host or port is not None:
                raise ConfigurationError(
                    f"{url!r} names a user, host or port, but a local device has none",
                    hint="write local:// or local:///absolute/folder",
                )
            return cls(scheme=scheme, path="" if path in (None, "/") else path)
        if scheme == "qemu":
            if user is not None or port is not None or path not in (None, "/"):
                raise ConfigurationError(f"{url!r} is more than the name of a board", hint="write it like qemu://board")
            return cls(scheme=scheme, host=_host(url, host))
        if path not in (None, "/"):
            raise ConfigurationError(
                f"{url!r} has a path, {path!r}, but a device URL ends with its port", hint=_EXAMPLE
            )
        return cls(scheme=scheme, user=_user(url, user), host=_host(url, host), port=_port(port))

    def __str__(self) -> str:
        """The URL, which `parse` reads back."""
        if not self.user:
            return f"{self.scheme}://{self.host}{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_SSH_PORT else f":{self.port}"
        return f"{self.scheme}://{self.user}@{host}{port}"


def _user(url: str, user: str | None) -> str:
    if not user:
        raise ConfigurationError(f"{url!r} names no user", hint=_EXAMPLE)
    if ":" in user:
        raise ConfigurationError(
            f"the URL of {user.partition(':')[0]!r} holds a password",
            hint="use a key: ssh-copy-id, then give its file as identity_file",
        )
    if not _USER.fullmatch(user):
        raise ConfigurationError(f"{user!r} is not a user name that edgekit accepts", hint=_EXAMPLE)
    return user


def _host(url: str, host: str) -> str:
    if host.startswith("["):
        return _ipv6(host[1:-1])
    if not host:
        raise ConfigurationError(f"{url!r} names no host", hint=_EXAMPLE)
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ConfigurationError(
            f"{host!r} is not a host name", hint=f"{_EXAMPLE}; international names in their xn-- form"
        )
    if labels[-1].isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError as cause:
            raise ConfigurationError(f"{host!r} is not an IPv4 address", hint=_EXAMPLE) from cause
    return host


def _ipv6(text: str) -> str:
    address, separator, zone = text.partition("%")
    zone = zone.removeprefix("25") if zone.startswith("25") and len(zone) > 2 else zone  # RFC 6874 writes % as %25
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError as cause:
        raise ConfigurationError(f"{address!r} is not an IPv6 address", hint=_EXAMPLE) from cause
    if separator and not _ZONE.fullmatch(zone):
        raise ConfigurationError(f"{zone!r} is not the name of a network interface", hint=_EXAMPLE)
    if parsed.is_link_local and not zone:
        raise ConfigurationError(
            f"{address} is link-local, so it needs the interface it is behind", hint=f"write [{address}%eth0]"
        )
    return f"{parsed.compressed}%{zone}" if zone else parsed.compressed


def _port(port: str | None) -> int:
    if port is None:
        return DEFAULT_SSH_PORT
    if not (port.isascii() and port.isdigit()) or not 1 <= int(port[:6]) <= 65535:
        raise ConfigurationError(
            f"'{printable(port, limit=40)}' is not a TCP port", hint="give a number from 1 to 65535"
        )
    return int(port)
