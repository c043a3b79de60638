"""DSSE envelopes: a payload, its type, and Ed25519 signatures over both (Dead Simple Signing Envelope, version 1).

One envelope has one spelling: whatever is not written as the host writes it is refused, so that nobody can make a
second envelope out of one that holds.
"""

from __future__ import annotations

import base64
import hashlib
import json

from device_agents.linux import ed25519, protocol
from device_agents.linux.errors import AgentError
from device_agents.linux.record import dataclass
from device_agents.linux.root import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BYTES = 64 * 1024
_MAX_SIGNATURES = 8


@dataclass(frozen=True)
class Envelope:
    """An envelope as it was read; nothing in it is verified.

    Attributes:
        payload_type: what the payload says it is.
        payload: the bytes.
        signatures: of 64 bytes each, by the digest of the key.
    """

    payload_type: str
    payload: bytes
    signatures: dict[str, bytes]

    def signers(self, keys: Mapping[str, bytes]) -> set[str]:
        """Those of the keys that have signed; signatures of other keys are not looked at.

        Args:
            keys: 32 bytes each, by their digest.

        Raises:
            AgentError: E_VERIFY when a signature of one of the keys does not hold.
        """
        found = set()
        message = pae(self.payload_type, self.payload)
        for name, signature in self.signatures.items():
            if name not in keys:
                continue
            if not ed25519.verify(keys[name], message, signature):
                raise refused(f"the signature by the key {name[:16]} does not hold")
            found.add(name)
        return found


def parse(text: object, payload_type: str) -> Envelope:
    """Read an envelope.

    Raises:
        AgentError: E_VERIFY when it is not one, is not in canonical form, or holds another type of payload.
    """
    if not isinstance(text, str) or len(text) > MAX_BYTES:
        raise refused(f"it is not a text of at most {MAX_BYTES} bytes")
    try:
        content = protocol.decode_message(text.encode("ascii"))
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    except (protocol.FrameError, ValueError, RecursionError) as cause:
        raise refused("it is not JSON") from cause
    if canonical != text or set(content) != {"payload", "payloadType", "signatures"}:
        raise refused("it is not in canonical form")
    if content["payloadType"] != payload_type:
        raise refused(f"it holds {content['payloadType']!r:.100}, not {payload_type}")
    return Envelope(payload_type, _bytes(content["payload"]), _signatures(content["signatures"]))


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: the pre-authentication encoding of DSSE, PAE(type, body)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def key_id(public: bytes) -> str:
    """The name of a public key: the sha256 of its 32 bytes."""
    return hashlib.sha256(public).hexdigest()


def unknown(names: Iterable[str]) -> AgentError:
    """The answer to signatures of keys that this device does not trust."""
    listed = ", ".join(name[:16] for name in sorted(names))
    return AgentError(
        "E_VERIFY",
        f"the envelope is refused: the device does not trust the key {listed}",
        "sign with a key that it trusts: edgekit status --device NAME lists them",
    )


def refused(reason: str) -> AgentError:
    """The answer to an envelope that is not taken."""
    return AgentError("E_VERIFY", f"the envelope is refused: {reason}", "sign the release again")


def decoded(value: object) -> bytes | None:
    """The bytes of a base64 text in its one canonical form, None for anything else."""
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except ValueError:
        return None
    return data if data is not None and base64.b64encode(data).decode("ascii") == value else None


def _bytes(value: object) -> bytes:
    data = decoded(value)
    if data is None:
        raise refused("a field is not base64")
    return data


def _signatures(value: object) -> dict[str, bytes]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_SIGNATURES:
        raise refused(f"it has not 1 to {_MAX_SIGNATURES} signatures")
    found = {}
    for entry in value:
        if not isinstance(entry, dict) or set(entry) != {"keyid", "sig"} or not is_digest(entry["keyid"]):
            raise refused("a signature is not {keyid, sig}")
        if entry["keyid"] in found:
            raise refused("a key has signed twice")
        found[entry["keyid"]] = _bytes(entry["sig"])
    return found
