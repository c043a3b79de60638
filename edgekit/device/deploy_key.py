"""The key pair with which this computer deploys to one device, and does nothing else there."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from edgekit.core.errors import AuthenticationError
from edgekit.core.files import write_atomically
from edgekit.core.secret import Secret
from edgekit.device.inventory import config_folder


def deploy_key_file(name: str) -> Path:
    """Where the private key for a device lies; it need not be there.

    Args:
        name: of the device, as the inventory has it.
    """
    return config_folder() / "deploy-keys" / name


def make_deploy_key(path: Path) -> str:
    """The public half, `ssh-ed25519 AAAA...`, of a key that is generated when it is not there.

    Raises:
        AuthenticationError: there is a file, but no Ed25519 key in it.
        StorageError, InputError: it cannot be written.
    """
    if not path.exists():
        fresh = Ed25519PrivateKey.generate()
        private = Secret(fresh.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, private.reveal(), mode=0o600)
    return public_half(path)


def public_half(path: Path) -> str:
    """The public half of a private key without a passphrase.

    Raises:
        AuthenticationError: it holds no such Ed25519 key.
    """
    try:
        key = load_ssh_private_key(Secret(path.read_bytes()).reveal(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None  # the reasons of the parser may quote what it has read
    if not isinstance(key, Ed25519PrivateKey):
        raise AuthenticationError(
            f"{path} holds no Ed25519 key that edgekit can use", hint="move it away; a new one is generated"
        ) from None
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
