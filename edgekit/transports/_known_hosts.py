"""Our own reader of OpenSSH's known_hosts: paramiko's one raises on any @revoked or @cert-authority line."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edgekit.core.errors import ConfigurationError, HostKeyError
from edgekit.transports._endpoint import DEFAULT_SSH_PORT, Endpoint
from edgekit.transports._trust import HostKey

_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class _Line:
    number: int
    marker: str
    hosts: str
    key: HostKey | None


@dataclass(frozen=True, kw_only=True)
class KnownHosts:
    """What a known_hosts file says.

    Attributes:
        path: where it was read from.
    """

    path: Path
    _lines: tuple[_Line, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file; a missing one knows nobody. Lines that OpenSSH would skip are skipped.

        Raises:
            HostKeyError: others may write the file, or a line with a marker cannot be read (and may be a revocation).
        """
        try:
            facts = path.stat()
            data = path.read_bytes() if facts.st_size <= _MAX_BYTES else b""
        except FileNotFoundError:
            return cls(path=path)
        except OSError as cause:
            raise HostKeyError(
                f"{path} cannot be read: {cause.strerror}", hint="check the file's permissions"
            ) from cause
        if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise HostKeyError(
                f"{path} may be written by others (mode {stat.S_IMODE(facts.st_mode):04o})", hint=f"chmod go-w {path}"
            )
        if facts.st_size > _MAX_BYTES:
            raise HostKeyError(f"{path} has {facts.st_size} bytes, the limit is {_MAX_BYTES}", hint="clean it up")
        text = data.decode("utf-8", errors="replace")
        lines = (_line(path, number, line) for number, line in enumerate(text.splitlines(), 1))
        return cls(path=path, _lines=tuple(line for line in lines if line is not None))

    def keys(self, endpoint: Endpoint) -> tuple[HostKey, ...]:
        """The keys that the file lists for a device, without the revoked ones.

        Raises:
            HostKeyError: it lists a certificate authority for the device and no key.
        """
        matching = [line for line in self._lines if _matches(line.hosts, endpoint)]
        revoked = {line.key for line in matching if line.marker == "@revoked"}
        keys = [line.key for line in matching if not line.marker and line.key is not None and line.key not in revoked]
        authorities = [line.number for line in matching if line.marker == "@cert-authority"]
        if authorities and not keys:
            raise HostKeyError(
                f"{self.path}:{authorities[0]} trusts a certificate authority for {endpoint}; "
                "edgekit does not support those",
                hint="pin the device's own host key: edgekit devices trust NAME",
            )
        return tuple(dict.fromkeys(keys))

    def revoked(self, endpoint: Endpoint) -> tuple[HostKey, ...]:
        """The keys that the file marks as revoked for a device."""
        found = (line for line in self._lines if line.marker == "@revoked" and _matches(line.hosts, endpoint))
        return tuple(dict.fromkeys(line.key for line in found if line.key is not None))


def _line(path: Path, number: int, text: str) -> _Line | None:
    words = text.split()
    if not words or words[0].startswith("#"):
        return None
    marker = words.pop(0) if words[0].startswith("@") else ""
    if marker not in ("", "@revoked", "@cert-authority"):
        raise HostKeyError(f"{path}:{number} has an unknown marker {marker[:40]!r}", hint="correct or remove the line")
    try:
        key = HostKey.parse(" ".join(words[1:3]))
    except ConfigurationError as cause:
        if marker == "@revoked":  # not to know what is revoked is not to know whom to trust
            raise HostKeyError(f"{path}:{number} revokes a key that cannot be read", hint="correct the line") from cause
        key = None
    return _Line(number=number, marker=marker, hosts=words[0], key=key) if words else None


def _matches(patterns: str, endpoint: Endpoint) -> bool:
    """Whether a line's host field names the device: any pattern matches, and no negated one does."""
    bare = endpoint.host.lower()
    name = bare if endpoint.port == DEFAULT_SSH_PORT else f"[{bare}]:{endpoint.port}"
    if patterns.startswith("|"):
        return _hash_matches(patterns, name)
    hit = False
    for pattern in patterns.lower().split(","):
        if _glob_matches(pattern.removeprefix("!"), name):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit


def _hash_matches(field: str, name: str) -> bool:
    parts = field.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, wanted = (base64.b64decode(part, validate=True) for part in parts[2:])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), wanted)


def _glob_matches(pattern: str, name: str) -> bool:
    translated = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(translated, name) is not None
