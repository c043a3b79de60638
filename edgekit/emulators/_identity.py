"""The two Ed25519 key pairs of a device: the key that may log in, and the key that proves which device it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from edgekit.core.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_CLIENT_KEY = "id_ed25519"
_HOST_KEY = "ssh_host_ed25519_key"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The keys of one device.

    Attributes:
        client_key_file: private key of the client, mode 0600, in OpenSSH's format.
        client_public: its public half, as in authorized_keys.
        host_key_file: private key of the device.
        host_public: its public half, "ssh-ed25519 AAAA...".
    """

    client_key_file: Path
    client_public: str
    host_key_file: Path
    host_public: str


def make_identity(folder: Path, *, comment: str) -> Identity:
    """Generate both key pairs and store them in the folder.

    Raises:
        StorageError, InputError: the folder cannot be written.
    """
    for name in (_CLIENT_KEY, _HOST_KEY):
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        write_atomically(folder / name, private, mode=0o600)
        write_atomically(folder / f"{name}.pub", f"{_public(key)} {comment}\n".encode())
    return load_identity(folder)


def load_identity(folder: Path) -> Identity:
    """The key pairs that `make_identity` has stored."""
    client, host = folder / _CLIENT_KEY, folder / _HOST_KEY
    return Identity(
        client_key_file=client, client_public=_public_of(client), host_key_file=host, host_public=_public_of(host)
    )


def _public_of(private_file: Path) -> str:
    key = load_ssh_private_key(private_file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{private_file} is not an Ed25519 key")
    return _public(key)


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
