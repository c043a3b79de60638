"""The keys that sign releases, as files that only their owner can read: CONFIG/keys/NAME.pem (PKCS#8)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edgekit.bundle.sign import SigningKey
from edgekit.core.errors import ConfigurationError
from edgekit.core.files import require_readable, write_atomically
from edgekit.core.suggest import did_you_mean
from edgekit.device.inventory import config_folder
from edgekit.transports import printable

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_MAX_BYTES = 64 * 1024
_SUFFIX = ".pem"


@dataclass(frozen=True, kw_only=True)
class KeyStore:
    """The keys of one folder.

    Attributes:
        folder: need not exist.
    """

    folder: Path

    @classmethod
    def find(cls) -> Self:
        """The user's."""
        return cls(folder=config_folder() / "keys")

    def names(self) -> list[str]:
        """All keys by name, sorted; retired ones are not among them."""
        found = self.folder.glob(f"*{_SUFFIX}") if self.folder.is_dir() else ()
        return sorted(path.stem for path in found if _NAME.fullmatch(path.stem))

    def get(self, name: str) -> SigningKey:
        """A key by its name.

        Raises:
            ConfigurationError: there is none, others can read it, or it is no Ed25519 key.
        """
        path = self._path(name)
        if not path.exists():
            hint = did_you_mean(name, self.names()) or f"edgekit keys new {name}"
            raise ConfigurationError(f"there is no signing key {name!r} in {self.folder}", hint=hint)
        return _read(path)

    def new(self, name: str) -> SigningKey:
        """Make a key.

        Raises:
            ConfigurationError: the name is taken or malformed.
        """
        path = self._path(name)
        if path.exists():
            raise ConfigurationError(f"there is a signing key {name!r} already", hint=f"edgekit keys rotate {name}")
        self._prepare(self.folder)
        key = SigningKey.generate()
        write_atomically(path, key.pem(), mode=0o600)
        return key

    def rotate(self, name: str) -> tuple[SigningKey, SigningKey]:
        """Put a new key in the place of one, which is kept: devices that still trust it alone need its signature once.

        Returns:
            The new key and the one before.

        Raises:
            ConfigurationError: there is no such key.
        """
        old = self.get(name)
        retired = self.folder / "retired"
        self._prepare(retired)
        write_atomically(retired / f"{name}.{old.public.id[:16]}{_SUFFIX}", old.pem(), mode=0o600)
        new = SigningKey.generate()
        write_atomically(self._path(name), new.pem(), mode=0o600)
        return new, old

    def having(self, ids: Collection[str]) -> SigningKey | None:
        """One of these keys, also a retired one; None when we have none of them.

        Raises:
            ConfigurationError: a key cannot be used.
        """
        own = [self._path(name) for name in self.names()]
        keys = map(_read, [*own, *sorted((self.folder / "retired").glob(f"*{_SUFFIX}"))])
        return next((key for key in keys if key.public.id in ids), None)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"'{printable(name, limit=80)}' is no name of a key",
                hint="use up to 63 lower-case letters, digits, '-' and '_', e.g. factory",
            )
        return self.folder / f"{name}{_SUFFIX}"

    def _prepare(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as cause:
            raise ConfigurationError(
                f"{folder} cannot be made: {cause.strerror}", hint="set EDGEKIT_CONFIG_DIR"
            ) from cause


def _read(path: Path) -> SigningKey:
    require_readable(path, what="signing key")
    facts = path.stat()
    if stat.S_IMODE(facts.st_mode) & 0o077 or facts.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            f"the signing key {path} can be read or changed by others (mode {stat.S_IMODE(facts.st_mode):04o})",
            hint=f"chmod 600 {path}, and rotate the key if somebody may have read it",
        )
    if facts.st_size > _MAX_BYTES:
        raise ConfigurationError(f"the signing key {path} has {facts.st_size} bytes", hint="is it the right file?")
    return SigningKey.from_pem(path.read_bytes(), str(path))
