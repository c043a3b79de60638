"""What is signed for devices: a release for one device or one group, and whom a device trusts (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.bundle.sign import PublicKey, SigningKey, seal
from edgekit.core.digest import canonical_json, sha256_bytes

RELEASE_TYPE = "application/vnd.edgekit.release+json"
POLICY_TYPE = "application/vnd.edgekit.trust+json"
MAX_COUNTER = 2**63 - 1
"""What a device takes at most; a release with it can be followed by none, until the floor is reset."""


@dataclass(frozen=True, kw_only=True)
class Audience:
    """For whom a release is signed.

    Attributes:
        kind: "device" or "group".
        name: of it, as the device's policy has it.
    """

    kind: str
    name: str


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
        "schema": "edgekit.release/1",
        "manifest": {"sha256": sha256_bytes(data), "size": len(data)},
        "audience": {audience.kind: audience.name},
        "counter": counter,
    }
    return seal(RELEASE_TYPE, canonical_json(content), [key])
