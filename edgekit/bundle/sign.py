"""Ed25519 keys, and DSSE envelopes: a payload, its type, and signatures over both (RFC 8032; DSSE version 1).

The agent's reader is device_agents/linux/envelope.py; it takes what is written here, byte for byte, and nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from edgekit.core.digest import canonical_json, sha256_bytes
from edgekit.core.errors import ConfigurationError, VerificationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY_BYTES = 32
_HINT = "sign it again, or use the public key that belongs to it"


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """An Ed25519 public key.

    Attributes:
        raw: 32 bytes.
    """

    raw: bytes

    @property
    def id(self) -> str:
        """Its name on devices and in envelopes: the sha256 of the 32 bytes."""
        return sha256_bytes(self.raw)

    @property
    def text(self) -> str:
        """The 32 bytes as base64."""
        return base64.b64encode(self.raw).decode()

    def pem(self) -> str:
        """SubjectPublicKeyInfo, as `openssl pkeyutl -verify` takes it."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class SigningKey:
    """An Ed25519 private key; its representation does not tell it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return f"SigningKey({self.public.id[:16]})"

    @classmethod
    def generate(cls) -> Self:
        """A new key from the system's random numbers."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """The key of a seed of 32 bytes, for experiments that must be repeatable."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, data: bytes, where: str) -> Self:
        """Read PKCS#8.

        Args:
            data: PEM.
            where: what to call it in an error.

        Raises:
            ConfigurationError: it is no key, another kind of key, or has a passphrase.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(data, password=None)
        except TypeError as cause:
            raise ConfigurationError(
                f"{where} has a passphrase", hint="edgekit reads keys without one: keep the file where only you can"
            ) from cause
        except (ValueError, UnsupportedAlgorithm) as cause:
            raise ConfigurationError(f"{where} is no private key", hint="edgekit keys new NAME makes one") from cause
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(f"{where} is no Ed25519 key", hint="edgekit keys new NAME makes one")
        return cls(key)

    def pem(self) -> bytes:
        """PKCS#8 without a passphrase."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public(self) -> PublicKey:
        """The key that verifies."""
        return PublicKey(raw=self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature of 64 bytes."""
        return self._key.sign(message)


def seal(payload_type: str, payload: bytes, keys: Sequence[SigningKey]) -> str:
    """A DSSE envelope in its one canonical form: JSON with sorted keys and no spaces, padded base64.

    Args:
        payload_type: what the payload is, e.g. "application/vnd.in-toto+json".
        payload: the bytes.
        keys: each signs.
    """
    message = _pae(payload_type, payload)
    signatures = [{"keyid": key.public.id, "sig": base64.b64encode(key.sign(message)).decode()} for key in keys]
    content = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": signatures,
    }
    return canonical_json(content).decode()


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """An envelope as it was read; nothing in it is verified.

    Attributes:
        payload_type: what the payload says it is.
        payload: the bytes.
        signatures: by the id of the key.
    """

    payload_type: str
    payload: bytes
    signatures: Mapping[str, bytes]


def read_envelope(text: str | bytes, payload_type: str) -> Sealed:
    """Read an envelope without a look at its signatures.

    Raises:
        VerificationError: it is none, or holds another type of payload.
    """
    try:
        content = json.loads(text)
        kind, payload = content["payloadType"], base64.b64decode(content["payload"], validate=True)
        signatures = {entry["keyid"]: base64.b64decode(entry["sig"], validate=True) for entry in content["signatures"]}
    except (ValueError, KeyError, TypeError, RecursionError) as cause:
        raise VerificationError("this is no DSSE envelope", hint=_HINT) from cause
    if kind != payload_type:
        raise VerificationError(f"the envelope holds {kind!r:.100}, not {payload_type}", hint=_HINT)
    return Sealed(payload_type=kind, payload=payload, signatures=signatures)


def unseal(text: str | bytes, payload_type: str, trusted: Iterable[PublicKey]) -> bytes:
    """The payload of an envelope that a trusted key has signed.

    Raises:
        VerificationError: it is no envelope, holds another type, or no trusted key has signed it.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found = read_envelope(text, payload_type)
    for key in trusted:
        if key.id in found.signatures:
            try:
                message = _pae(payload_type, found.payload)
                Ed25519PublicKey.from_public_bytes(key.raw).verify(found.signatures[key.id], message)
            except InvalidSignature as cause:
                raise VerificationError(f"the signature by {key.id[:16]} does not hold", hint=_HINT) from cause
            return found.payload
    listed = ", ".join(name[:16] for name in sorted(map(str, found.signatures)))
    raise VerificationError(f"the envelope is signed by {listed}, none of the trusted keys", hint=_HINT)


def public_key(text: str) -> PublicKey:
    """A public key from base64.

    Raises:
        ConfigurationError: it is not the base64 of 32 bytes.
    """
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise ConfigurationError("a public key is 32 bytes in base64", hint="edgekit keys export NAME prints one")
    return PublicKey(raw=raw)


def _pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding of DSSE: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
