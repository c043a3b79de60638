"""Whom we believe to be the device (its host keys), and with what we log in there (one identity file)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from edgekit.core.errors import AuthenticationError, ConfigurationError
from edgekit.transports._printable import printable

HOST_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Key types that can be pinned, best first. An ssh-rsa key signs with SHA-2 only (rsa-sha2-512, rsa-sha2-256)."""


def fingerprint(blob: bytes) -> str:
    """`SHA256:...` of a public key in wire format, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, kw_only=True)
class HostKey:
    """A device's public key.

    Attributes:
        type: one of `HOST_KEY_TYPES`.
        blob: the key in SSH wire format (what known_hosts holds in base64).
    """

    type: str
    blob: bytes

    @classmethod
    def parse(cls, text: str) -> HostKey:
        """Read `type base64 [comment]`, the form of known_hosts and of `.pub` files.

        Raises:
            ConfigurationError: it is no such text, or the type inside the key is another one.
        """
        words = text.split()
        if len(words) < 2 or words[0] not in HOST_KEY_TYPES:
            raise ConfigurationError(
                f"'{printable(text, limit=60)}' is not a host key",
                hint=f"give `type base64` with one of the types {', '.join(HOST_KEY_TYPES)}",
            )
        try:
            blob = base64.b64decode(words[1], validate=True)
        except (binascii.Error, ValueError) as cause:
            raise ConfigurationError(
                f"the host key '{printable(words[1], limit=40)}' is not base64", hint="copy it whole"
            ) from cause
        inner = words[0].encode()
        if blob[:4] != len(inner).to_bytes(4, "big") or blob[4 : 4 + len(inner)] != inner or len(blob) < 40:
            raise ConfigurationError(f"the host key says {words[0]} but holds something else", hint="copy it whole")
        return cls(type=words[0], blob=blob)

    @property
    def fingerprint(self) -> str:
        """`SHA256:...`, as OpenSSH prints it."""
        return fingerprint(self.blob)

    def __str__(self) -> str:
        """`type base64`, which `parse` reads back."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What makes a connection trusted in both directions.

    Attributes:
        host_keys: keys of which the device must show one; empty means nothing is known of it, and it is refused.
        revoked: keys that are refused whatever else says so.
        identity_file: our private key.
    """

    host_keys: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()
    identity_file: Path | None = None


def checked_identity_file(path: Path | None) -> Path:
    """The identity file, if it is ours alone to read.

    Raises:
        AuthenticationError: there is none, or others may read it.
    """
    if path is None:
        raise AuthenticationError(
            "no identity file is set for this device",
            hint="ssh-keygen -t ed25519 -f ~/.ssh/edgekit, ssh-copy-id it, then set identity_file or EDGEKIT_KEY",
        )
    path = path.expanduser()
    try:
        facts = path.stat()
    except OSError as cause:
        raise AuthenticationError(
            f"the identity file {path} cannot be read: {cause.strerror}", hint="check identity_file or EDGEKIT_KEY"
        ) from cause
    if not stat.S_ISREG(facts.st_mode):
        raise AuthenticationError(f"the identity file {path} is not a regular file", hint="give the private key's file")
    if facts.st_mode & 0o077:
        raise AuthenticationError(
            f"the identity file {path} may be read by others (mode {stat.S_IMODE(facts.st_mode):04o})",
            hint=f"chmod 600 {path}",
        )
    if not os.access(path, os.R_OK):
        raise AuthenticationError(f"the identity file {path} may not be read by this user", hint=f"chmod 600 {path}")
    return path
