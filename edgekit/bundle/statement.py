"""What is signed for devices: a release for one device or one group, and whom a device trusts (docs/protocol.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.bundle.sign import PublicKey, SigningKey, read_envelope, seal
from edgekit.core.digest import canonical_json, sha256_bytes
from edgekit.core.errors import VerificationError

RELEASE_TYPE = "application/vnd.edgekit.release+json"
RELEASE_SCHEMA = "edgekit.release/1"
POLICY_TYPE = "application/vnd.edgekit.trust+json"
MAX_COUNTER = 2**63 - 1
"""What a device takes at most; a release with it can be followed by none, until the floor is reset."""

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Audience:
    """For whom a release is signed.

    Attributes:
        kind: "device" or "group".
        name: of it, as the device's policy has it.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name!r}"


@dataclass(frozen=True, kw_only=True)
class SignedRelease:
    """What an envelope says of a release. Only a device, which has the public key, can tell whether it is true.

    Attributes:
        text: the envelope as it travels.
        manifest_sha256: digest of the manifest that was signed.
        audience: for whom.
        counter: devices refuse it when it is below their floor.
        keys: ids of the keys that have signed, sorted.
    """

    text: str
    manifest_sha256: str
    audience: Audience
    counter: int
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TrustPolicy:
    """Whom a device believes.

    Attributes:
        serial: higher than that of the policy before.
        device: the name under which releases are signed for it.
        groups: names under which releases are signed for it and others.
        keys: any of which may sign.
        unsigned: unsigned releases are taken too, and staged models may run.
        floor: the device's rollback floor becomes this number; None leaves it.
    """

    serial: int
    device: str
    keys: Sequence[PublicKey]
    groups: Sequence[str] = ()
    unsigned: bool = False
    floor: int | None = None

    def text(self) -> str:
        """Canonical JSON."""
        content = {
            "schema": "edgekit.trust/1",
            "serial": self.serial,
            "device": self.device,
            "groups": list(self.groups),
            "keys": [key.text for key in self.keys],
            "unsigned": self.unsigned,
            "floor": self.floor,
        }
        return canonical_json(content).decode()

    def sealed(self, keys: Sequence[SigningKey]) -> str:
        """Its envelope, signed by a key of the device's present policy and by one of its own."""
        return seal(POLICY_TYPE, self.text().encode(), keys)


def seal_release(manifest: str, audience: Audience, counter: int, key: SigningKey) -> str:
    """The envelope of a release.

    Args:
        manifest: its canonical text.
        audience: for whom.
        counter: above that of every release before; devices refuse one below their floor.
        key: signs.
    """
    data = manifest.encode()
    content = {
        "schema": RELEASE_SCHEMA,
        "manifest": {"sha256": sha256_bytes(data), "size": len(data)},
        "audience": {audience.kind: audience.name},
        "counter": counter,
    }
    return seal(RELEASE_TYPE, canonical_json(content), [key])


def read_release(text: str, where: str) -> SignedRelease:
    """Read the envelope of a release; its signature is not verified.

    Args:
        text: the envelope, with or without a newline at its end.
        where: what to call it in an error.

    Raises:
        VerificationError: it is not what `seal_release` writes; the devices would refuse it too.
    """
    text = text.removesuffix("\n")
    try:
        sealed = read_envelope(text, RELEASE_TYPE)
        if text != canonical_json(json.loads(text)).decode():
            raise ValueError("it is not in canonical form")
        content = json.loads(sealed.payload)
        if content["schema"] != RELEASE_SCHEMA or set(content) != {"schema", "manifest", "audience", "counter"}:
            raise ValueError(f"its payload is not {RELEASE_SCHEMA}")
        ((kind, name),) = content["audience"].items()
        digest, counter = content["manifest"]["sha256"], content["counter"]
        if kind not in ("device", "group") or not isinstance(name, str) or not _DIGEST.fullmatch(digest):
            raise ValueError("it names no audience or no manifest")
        if not isinstance(counter, int) or isinstance(counter, bool) or not 0 <= counter <= MAX_COUNTER:
            raise ValueError("its counter is none")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, VerificationError) as cause:
        reason = cause.message if isinstance(cause, VerificationError) else str(cause) or type(cause).__name__
        raise VerificationError(
            f"{where} is not the envelope of a release: {reason:.200}",
            hint="edgekit keys sign BUNDLE --key KEY --device NAME makes one",
        ) from cause
    return SignedRelease(
        text=text,
        manifest_sha256=digest,
        audience=Audience(kind=kind, name=name),
        counter=counter,
        keys=tuple(sorted(sealed.signatures)),
    )
